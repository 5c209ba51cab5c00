extension AMQPConnection {
    /// Publishes, `mandatory`, and returns when each message is confirmed, refused, returned or out of time.
    ///
    /// Outcomes stand in the order of the messages. Bounded by `timeout`; not by the task's cancellation, since a
    /// message that is half way cannot be called back.
    package nonisolated func publish(
        _ messages: [AMQPMessage], timeout: Duration = .seconds(30)
    ) async -> [PublishOutcome] {
        let report = await submit(messages, deadline: .now + timeout)
        var outcomes = [PublishOutcome](repeating: .confirmed, count: messages.count)
        for (index, error) in report.failures { outcomes[index] = .failed(error) }
        return outcomes
    }

    nonisolated func submit(
        _ messages: [AMQPMessage], deadline: ContinuousClock.Instant
    ) async -> PublishReport {
        if messages.isEmpty { return PublishReport() }
        return await withCheckedContinuation { continuation in
            let batch = PublishBatch(messages, deadline: deadline, continuation: continuation)
            if let error = mailbox.post(.publish(batch)) {
                batch.failures = messages.indices.map { ($0, error) }
                batch.finish(isUntouched: true)
            } else {
                parking.unpark()
            }
        }
    }

    /// Opens the publishing channel ahead of the first message, so that no message waits for it.
    package func preparePublishing() throws(AMQPError) {
        try checkAlive()
        try failing { () throws(AMQPError) in try openPublishChannel() }
        turn()
    }

    /// Opens the channel on which everything is published. Done by itself at the first publish.
    private func openPublishChannel() throws(AMQPError) {
        guard publishChannel == nil else { return }
        let channel = freeChannel()
        try wire.openChannel(channel)
        try wire.selectConfirms(channel)
        publishChannel = channel
    }

    func takeLetters() throws(AMQPError) {
        for letter in mailbox.take() {
            switch letter {
            case .publish(let batch):
                sending.append(batch)
                unfinished[ObjectIdentifier(batch)] = batch
                nextDeadline = min(nextDeadline ?? batch.deadline, batch.deadline)
            case .settle(let channel, let epoch, let tags, let verdict):
                try settle(channel, epoch, tags, verdict)
            }
        }
    }

    /// Sends what the window, the broker's alarm and the socket allow. Never waits for the socket with small messages.
    func sendPublishes() throws(AMQPError) {
        isWaitingToWrite = false
        guard sendingHead < sending.count, !isBlocked, confirms.count < window else { return }
        try openPublishChannel()
        guard let publishChannel else { return }
        var uncheckedBytes = Int.max
        wire.cork(true)
        defer { wire.cork(false) }
        while sendingHead < sending.count, confirms.count < window {
            let batch = sending[sendingHead]
            if batch.isFinished || batch.next == batch.messages.count {
                sendingHead += 1
                continue
            }
            // A socket that says it is writable has room for a third of its buffer.
            if uncheckedBytes > 16_384 {
                guard wire.isWritable else {
                    isWaitingToWrite = true
                    break
                }
                uncheckedBytes = 0
            }
            let index = batch.next
            batch.next += 1
            do throws(AMQPError) {
                try wire.publish(batch.messages[index], publishChannel)
                confirms.append(batch, index: index)
                uncheckedBytes += batch.messages[index].body.count + 512
            } catch {
                guard error.code == .invalidMessage || error.code == .messageTooLarge else { throw error }
                settle(batch, index, error)
            }
        }
        compactSending()
    }

    private func compactSending() {
        if sendingHead == sending.count {
            sending.removeAll(keepingCapacity: true)
            sendingHead = 0
        } else if sendingHead > 256 {
            sending.removeFirst(sendingHead)
            sendingHead = 0
        }
    }

    func confirmed(_ tag: UInt64, multiple: Bool, isRefused: Bool) {
        confirms.settle(tag, multiple: multiple) { slot in
            // A returned message got its error when the return came.
            if slot.isReturned { return }
            var error: AMQPError?
            if isRefused {
                let message = slot.owner.messages[slot.index]
                error = AMQPError(
                    .rejected, operation: "publish to \(message.routingKey)",
                    detail: "the broker refused the message: as a rule its queue is full")
            }
            settle(slot.owner, slot.index, error)
        }
    }

    /// A return says exchange, routing key and properties, but no number: it belongs to the oldest unconfirmed message
    /// that looks like it.
    func returned(_ message: AMQPMessage, _ code: Int, _ text: String) {
        let error = AMQPError(
            .returned, replyCode: code,
            operation: "publish to exchange \"\(message.exchange)\" with routing key \"\(message.routingKey)\"",
            detail: "no queue took the message: \(text)")
        confirms.markReturned { slot in
            let sent = slot.owner.messages[slot.index]
            guard sent.routingKey == message.routingKey, sent.exchange == message.exchange,
                sent.messageID == message.messageID
            else { return false }
            settle(slot.owner, slot.index, error)
            return true
        }
    }

    private func settle(_ batch: PublishBatch, _ index: Int, _ error: AMQPError?) {
        batch.settle(index, error)
        if batch.isFinished { unfinished[ObjectIdentifier(batch)] = nil }
    }

    /// Before everything is given up because the broker closed the publishing channel: messages for the exchange it
    /// names get the broker's own verdict, the others only a lost connection.
    func blame(_ code: Int, _ text: String) {
        confirms.forEachOpen { slot in
            let message = slot.owner.messages[slot.index]
            guard !slot.isReturned, !message.exchange.isEmpty, text.contains("'\(message.exchange)'") else { return }
            slot.owner.blame = .closure(
                replyCode: code, text: text, operation: "publish to exchange \(message.exchange)",
                fallback: .channelClosedByBroker)
        }
    }

    /// Fails batches whose time is up. What of them is under way stays in the ledger without an owner that listens.
    func expirePublishes() {
        guard let nextDeadline, nextDeadline <= .now else { return }
        let now = ContinuousClock.now
        for batch in unfinished.values where batch.deadline <= now {
            let isUnsent = batch.next == 0
            let error = AMQPError(
                isBlocked ? .blocked : .timedOut, operation: "publish",
                detail: isUnsent
                    ? "nothing was sent in time" : "no confirm in time: some of the messages may have arrived")
            abandon(batch, error)
        }
        unfinished = unfinished.filter { !$0.value.isFinished }
        self.nextDeadline = unfinished.values.map(\.deadline).min()
    }

    func abandonPublishes(_ error: AMQPError) {
        let lost =
            error.code == .closed || error.code == .connectionLost || error.code == .connectionClosedByBroker
            ? error
            : AMQPError(.connectionLost, replyCode: error.replyCode, operation: "publish", detail: error.description)
        for batch in unfinished.values { abandon(batch, batch.blame ?? lost) }
        unfinished = [:]
        sending = []
        sendingHead = 0
        confirms = ConfirmLedger()
    }

    /// Ends a batch: each message without a verdict gets `error`.
    func abandon(_ batch: PublishBatch, _ error: AMQPError) {
        guard !batch.isFinished else { return }
        let isUntouched = batch.next == 0
        for index in batch.next..<batch.messages.count { batch.failures.append((index, error)) }
        confirms.forEachOpen { slot in
            if slot.owner === batch, !slot.isReturned { batch.failures.append((slot.index, error)) }
        }
        batch.finish(isUntouched: isUntouched)
    }
}
