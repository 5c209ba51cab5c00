import Threads

/// Sends requests over kept connections, on one thread of its own.
///
/// Many requests run at once (libcurl's multi interface); none of them blocks Swift's pool. `send` never throws: its
/// ``HTTPOutcome`` says whether the peer may have acted.
///
/// What is fixed: peer and host are verified with TLS 1.2 or newer; only `http` and `https`; no proxy, cookie, netrc
/// or other setting from the environment; no `Expect: 100-continue`; gzip is asked for and undone; nothing is logged.
///
/// **A request is never sent twice unless its method is safe.** libcurl by itself repeats *any* request when a kept
/// connection dies before the first byte of an answer, though the peer may have acted on it. Here that second sending
/// is stopped before its first byte for post, put, patch and delete, and the outcome is `unknown`.
package actor HTTPClient {
    private nonisolated let thread: DedicatedThread
    private nonisolated let loop: CurlLoop
    /// The thread starts with its first job, and requests are not jobs.
    private nonisolated let hasThread = Locked(false)

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// - Parameter name: the thread's name; the kernel keeps 15 bytes.
    package init(name: String, configuration: HTTPConfiguration = HTTPConfiguration()) {
        loop = CurlLoop(configuration: configuration)
        thread = DedicatedThread(name: name, parking: loop)
    }

    // A send that is under way holds the client, so nothing is outstanding here.
    deinit { thread.stop() }

    /// Sends the request and waits for its outcome, at most `request.timeout`. Cancelling the task ends the transfer
    /// and gives its place to the next; the outcome then is `neverSent` or `unknown`, as is true.
    package nonisolated func send(_ request: HTTPRequest) async -> HTTPOutcome {
        if let refusal = request.refusal() { return .neverSent(refusal) }
        if !hasThread.withLock({ $0 }) {
            await startThread()
            hasThread.withLock { $0 = true }
        }
        let ticket = Ticket()
        let deadline = ContinuousClock.now + request.timeout
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let arrival = Arrival(
                    ticket: ticket, request: request, deadline: deadline, continuation: continuation)
                if loop.mailbox.add(arrival) { loop.unpark() }
            }
        } onCancel: {
            loop.mailbox.cancel(ticket)
            loop.unpark()
        }
    }

    /// Ends what is outstanding (`neverSent` or `unknown`, code `closed`), closes every connection and ends the thread.
    /// Safe to call twice. Later requests are refused as `neverSent`.
    package func close() {
        loop.close()
        thread.stop()
    }

    /// The thread's first job. It must do something: a release build leaves out the hop to an empty function.
    private func startThread() { loop.begin() }
}
