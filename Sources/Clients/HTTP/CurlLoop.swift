import CCurl
import Glibc
import Threads

/// How the client's thread spends its time: it takes what the mailbox holds, lets libcurl read and write, and sleeps
/// in `curl_multi_poll` until a socket, a timer or `curl_multi_wakeup` ends the sleep.
final class CurlLoop: ThreadParking, @unchecked Sendable {
    // Unchecked: `transfers` is touched only on the client's thread (in `park`, and in `close`, which is called from
    // the actor that lives on it); the fields of `Sleep` only under `sleepLock`; the others never change.
    private struct Sleep: ~Copyable {
        /// nil once closed: a wake-up must never touch a freed handle.
        var multi: MultiHandle?
        var isAsleep = false
        /// A wake-up came since the last sleep ended.
        var isWoken = false
    }

    let mailbox: Mailbox
    private let sleepLock = ThreadLock()
    private var sleep: Sleep
    private let transfers: TransferTable

    init(configuration: HTTPConfiguration) {
        let multi = MultiHandle()
        mailbox = Mailbox(outstandingMax: configuration.maxQueuedRequests + configuration.maxConcurrentRequests)
        transfers = TransferTable(configuration: configuration, multi: multi.raw, mailbox: mailbox)
        sleep = Sleep(multi: multi)
    }

    /// Prepares the client's thread, on it. A second call does no harm.
    ///
    /// A write to a socket that the peer has closed may raise SIGPIPE, which would end the process. The thread is our
    /// own, so its mask is too.
    func begin() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    func park() {
        let pause = transfers.turn()
        guard let multi = fallAsleep() else { return }
        let milliseconds = pause.map { Int32(clamping: $0.components.seconds * 1_000 + 1
            + $0.components.attoseconds / 1_000_000_000_000_000) } ?? Int32(60_000)
        // Waits no longer than libcurl's own next timer either.
        let code = curl_multi_poll(UnsafeMutableRawPointer(multi), nil, 0, max(0, milliseconds), nil)
        precondition(code == CURLM_OK, "curl_multi_poll said \(code.rawValue)")
        sleepLock.withLock {
            sleep.isAsleep = false
            sleep.isWoken = false
        }
    }

    func unpark() {
        sleepLock.withLock {
            // One wake-up a sleep: under load most requests cost no system call here.
            guard !sleep.isWoken else { return }
            sleep.isWoken = true
            if sleep.isAsleep, let multi = sleep.multi?.raw { curl_multi_wakeup(UnsafeMutableRawPointer(multi)) }
        }
    }

    /// Ends everything. On the client's thread.
    func close() {
        mailbox.close()
        transfers.endAll()
        // Freed here, so that connections close now and not with the last reference to the client.
        sleepLock.withLock { sleep.multi = nil }
    }

    /// - Returns: nil if there is no need to sleep, or nothing left to sleep in.
    private func fallAsleep() -> OpaquePointer? {
        sleepLock.withLock {
            guard !sleep.isWoken, let multi = sleep.multi?.raw else {
                sleep.isWoken = false
                return nil
            }
            sleep.isAsleep = true
            return multi
        }
    }
}
