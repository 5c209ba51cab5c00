import CCurl

/// The requests that run and those that wait for a place. Used by the client's thread only.
final class TransferTable {
    private let configuration: HTTPConfiguration
    /// Borrowed from the loop, which frees it after ``endAll()``.
    private let multi: UnsafeMutableRawPointer
    private let mailbox: Mailbox
    private var running: [ObjectIdentifier: Transfer] = [:]
    private var waiting = WaitingLine()
    private var idle: [Transfer] = []
    /// No deadline lies before it. It may be early, when the request it belonged to has ended.
    private var nextDeadline: ContinuousClock.Instant?
    private var isClosed = false

    init(configuration: HTTPConfiguration, multi: OpaquePointer, mailbox: Mailbox) {
        self.configuration = configuration
        self.multi = UnsafeMutableRawPointer(multi)
        self.mailbox = mailbox
        let limits = [
            (CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost),
            (CURLMOPT_MAX_TOTAL_CONNECTIONS, configuration.maxTotalConnections),
            (CURLMOPT_MAXCONNECTS, configuration.maxTotalConnections),
            (CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX)),
        ]
        for (option, value) in limits {
            let code = tb_curl_multi_set_long(self.multi, option, value)
            precondition(code == CURLM_OK, "curl_multi_setopt said \(code.rawValue)")
        }
    }

    /// One round: new work, cancellations, reading and writing, deadlines.
    /// - Returns: how long there is nothing to do but for sockets and wake-ups; nil for ever.
    func turn() -> Duration? {
        guard !isClosed else { return nil }
        takeLetters()
        var count: Int32 = 0
        // A start makes libcurl want to run at once, and an end makes place for a start.
        repeat {
            startWaiting()
            let code = curl_multi_perform(multi, &count)
            precondition(code == CURLM_OK, "curl_multi_perform said \(code.rawValue)")
        } while finishDone() && !waiting.isEmpty
        return endOverdue()
    }

    /// Ends every request as closed. Nothing can be started afterwards.
    func endAll() {
        guard !isClosed else { return }
        isClosed = true
        let letters = mailbox.take()
        for arrival in letters.arrivals { waiting.append(arrival) }
        for arrival in waiting.removeAll() { end(arrival, .closed, "the client was closed") }
        for transfer in Array(running.values) { abort(transfer, .closed, "the client was closed") }
        idle = []
    }

    private func takeLetters() {
        let (arrivals, cancelled) = mailbox.take()
        for arrival in arrivals {
            if arrival.ticket.isCancelled {
                end(arrival, .cancelled, "the task was cancelled before the request was sent")
                continue
            }
            nextDeadline = min(nextDeadline ?? arrival.deadline, arrival.deadline)
            waiting.append(arrival)
        }
        for ticket in cancelled {
            if let transfer = running[ObjectIdentifier(ticket)] {
                abort(transfer, .cancelled, "the task was cancelled")
            } else if let arrival = waiting.remove(ticket) {
                end(arrival, .cancelled, "the task was cancelled before the request was sent")
            }
        }
    }

    private func startWaiting() {
        while running.count < configuration.maxConcurrentRequests, let arrival = waiting.popFirst() {
            let transfer = idle.popLast() ?? Transfer()
            if let failure = transfer.sit(arrival, configuration: configuration) {
                release(transfer)
                end(arrival, .neverSent(failure))
                continue
            }
            running[ObjectIdentifier(arrival.ticket)] = transfer
            add(transfer)
        }
    }

    private func add(_ transfer: Transfer) {
        let code = curl_multi_add_handle(multi, transfer.easy.raw)
        precondition(code == CURLM_OK, "curl_multi_add_handle said \(code.rawValue)")
    }

    private func remove(_ transfer: Transfer) {
        let code = curl_multi_remove_handle(multi, transfer.easy.raw)
        precondition(code == CURLM_OK, "curl_multi_remove_handle said \(code.rawValue)")
    }

    /// - Returns: whether any request ended.
    private func finishDone() -> Bool {
        var hasEnded = false
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            // Read now: the message is gone once the handle is removed.
            let code = message.pointee.data.result
            var context: UnsafeMutableRawPointer?
            tb_curl_get_pointer(easy, CURLINFO_PRIVATE, &context)
            guard let context else { preconditionFailure("an easy handle without its transfer") }
            let transfer = Transfer.at(context)
            remove(transfer)
            if let hop = transfer.nextHop(after: code) {
                if let failure = transfer.sitAgain(method: hop.method, url: hop.url, configuration: configuration) {
                    finish(transfer, .unknown(failure))
                } else {
                    add(transfer)
                    continue
                }
            } else {
                finish(transfer, transfer.outcome(of: code))
            }
            hasEnded = true
        }
        return hasEnded
    }

    /// Stops a running transfer now: HTTP/1.1 loses its connection, HTTP/2 its stream.
    private func abort(_ transfer: Transfer, _ code: HTTPError.Code, _ detail: String) {
        remove(transfer)
        finish(transfer, transfer.failure(code, detail))
    }

    private func finish(_ transfer: Transfer, _ outcome: HTTPOutcome) {
        guard let arrival = transfer.arrival else { preconditionFailure("a transfer that ends twice") }
        running[ObjectIdentifier(arrival.ticket)] = nil
        release(transfer)
        end(arrival, outcome)
    }

    private func release(_ transfer: Transfer) {
        transfer.rise()
        if idle.count < configuration.maxConcurrentRequests { idle.append(transfer) }
    }

    private func end(_ arrival: Arrival, _ code: HTTPError.Code, _ detail: String) {
        end(arrival, .neverSent(HTTPError(code: code, request: arrival.request, detail: detail)))
    }

    private func end(_ arrival: Arrival, _ outcome: HTTPOutcome) {
        mailbox.leave()
        arrival.continuation.resume(returning: outcome)
    }

    /// The one place that knows total time: libcurl does not count it while a request waits for a connection.
    private func endOverdue() -> Duration? {
        guard let earliest = nextDeadline else { return nil }
        let now = ContinuousClock.now
        if now < earliest { return earliest - now }
        for arrival in waiting.removeAll(where: { $0.deadline <= now }) {
            end(arrival, .timedOut, "no place became free in \(arrival.request.timeout)")
        }
        for transfer in Array(running.values) {
            guard let arrival = transfer.arrival, arrival.deadline <= now else { continue }
            abort(transfer, .timedOut, "no complete answer in \(arrival.request.timeout)")
        }
        let deadlines = running.values.compactMap { $0.arrival?.deadline } + waiting.deadlines
        nextDeadline = deadlines.min()
        // Places became free.
        return waiting.isEmpty ? nextDeadline.map { $0 - now } : .zero
    }
}
