import Domain
import Logging
import Mapping
import Messaging
import Store
import Telemetry

extension MapperService {
    /// Takes what belongs to summaries into their days.
    ///
    /// - Returns: the orders that are dealt with, and why where their day does not take them; the others go on to
    ///   documents of their own.
    func takeIntoDays(_ messages: [MappedMessage], version: Int64) async throws -> [DocumentKey: Park?] {
        let dated = messages.filter { $0.day != nil }
        if dated.isEmpty { return [:] }
        // An order that is in a summary stays there, whatever the plan says of its day by now. One that a rule leaves
        // out by now is taken out again, as far as nothing of it is booked.
        let others = dated.filter { $0.day?.route == .order }
        let claimed = try await store.ordersInSummaries(among: others.map(\.posting.request.source))
        var orders: [DayOrder] = []
        for mapped in dated {
            let isInSummary = claimed.contains(mapped.posting.request.source)
            guard mapped.day?.route == .summary || isInSummary else { continue }
            var order = mapped.dayOrder(leaves: isInSummary && mapped.day?.standsAlone == true)
            order.isLeftOut = mapped.isSkipped
            order.mappingVersion = version
            orders.append(order)
        }
        let outcomes = try await store.takeIn(orders, at: clock.now())
        var done: [DocumentKey: Park?] = [:]
        var settled: [SettledReplay] = []
        // Why one is left out is stored where single documents are decided upon.
        for mapped in dated where !mapped.isSkipped {
            let source = mapped.posting.request.source
            switch outcomes[source] {
            case nil, .postedByItself: continue
            case .taken where claimed.contains(source) && mapped.day?.standsAlone == true: continue
            case .taken:
                if let mark = mapped.mark {
                    settled.append(SettledReplay(mark: mark, outcome: "it is in the summary of its day"))
                }
            case .beyondSale: break
            case .stale:
                if let mark = mapped.mark {
                    settled.append(SettledReplay(mark: mark, outcome: "a later version of the order was booked"))
                }
            }
            done[mapped.key] = .some(mapped.park(outcomes[source]))
        }
        try await store.settle(settled)
        metrics.count("tillbridge_day_orders_total", by: done.count)
        return done
    }

    /// Stores what was counted in tills. A day's takings can be beyond what the books have accounts for only where each
    /// of them could be booked by itself: those were laid on the desk before.
    func takeIn(_ message: TakingsMessage, _ current: MappingInEffect.Current) async throws -> Verdict {
        var takings = message.takings
        takings.mappingVersion = current.version
        do {
            try await store.takeIn(takings, at: clock.now()) { key, bodies in
                try current.reader.entries(of: bodies, on: key)
            }
        } catch let park as Park { return .park(park, about: message.subject) }
        if let mark = message.mark {
            try await store.settle([SettledReplay(mark: mark, outcome: "the takings are in their day")])
        }
        return .done
    }

    /// Stores the reasons of those that a rule leaves out.
    func keepSkips(_ messages: [MappedMessage], version: Int64) async throws {
        var skips: [SkippedRecord] = []
        var settled: [SettledReplay] = []
        for mapped in messages {
            guard case .skipped(let rule, let reason) = mapped.posting.version else { continue }
            skips.append(
                SkippedRecord(
                    source: mapped.posting.request.source, hash: mapped.posting.request.hash, rule: rule,
                    reason: reason, mappingVersion: version))
            if let mark = mapped.mark {
                settled.append(SettledReplay(mark: mark, outcome: "the rule \"\(rule)\" leaves it out: \(reason)"))
            }
        }
        if skips.isEmpty { return }
        try await store.keepSkips(skips)
        try await store.settle(settled)
        metrics.count("tillbridge_records_skipped_total", by: skips.count)
        for skip in skips { logger.info("left out: \(skip.source) by \"\(skip.rule)\": \(skip.reason)") }
    }
}

extension MappedMessage {
    var isSkipped: Bool { if case .skipped = posting.version { true } else { false } }
}
