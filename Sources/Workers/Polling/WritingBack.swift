package import Domain
package import Kounta
package import Logging
package import Mapping
package import Messaging
package import Settings
package import Store
package import Telemetry

/// The rules that write back into a company's till, as the configuration's file has them now.
package struct LoadedWriteBack: Sendable {
    package let rules: WriteBackRules
    /// Over the texts the rules were read from: while it is the same, nothing decided is decided anew.
    package let hash: ContentHash
    /// Of the file, in `mapping_version`.
    package let version: Int64

    package init(rules: WriteBackRules, hash: ContentHash, version: Int64) {
        self.rules = rules
        self.hash = hash
        self.version = version
    }
}

/// Writes what rules say back into a company's till: the ledger's contact id of a customer, and that a day's takings
/// are in the ledger. It takes only what new orders leave of the company's allowance.
///
/// A write may happen twice and does no harm then: each looks first, and what is about to be written is stored before
/// it is, so that after a crash our own value is known from anybody else's.
package struct WritingBack: Sendable {
    let company: CompanySettings
    let client: KountaClient
    let store: any TillWriteStore
    /// Throws while the file cannot be read; the rules before stay.
    private let load: @Sendable () async throws -> LoadedWriteBack
    let clock: WorkClock
    let metrics: Metrics
    let logger: Logger

    private static let interval = Duration.seconds(5)
    private static let intervalMax = Duration.seconds(300)
    /// Rows of a look.
    static let batch = 50

    package init(
        company: CompanySettings, client: KountaClient, store: any TillWriteStore,
        load: @escaping @Sendable () async throws -> LoadedWriteBack, clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.company = company
        self.client = client
        self.store = store
        self.load = load
        self.clock = clock
        self.metrics = metrics
        var logger = logger
        logger[metadataKey: "company"] = "\(company.key)"
        self.logger = logger
    }

    /// Ends by cancellation only.
    func run() async {
        var failures = 0
        var inEffect: LoadedWriteBack?
        while !Task.isCancelled {
            do {
                inEffect = await rules(after: inEffect)
                if let inEffect { try await look(inEffect) }
                failures = 0
            } catch {
                if Task.isCancelled { return }
                failures += 1
                logger.warning("nothing is written into the till for now, it is tried again: \(error)")
            }
            let pause = min(Self.interval * (1 << min(failures, 8)), Self.intervalMax)
            do { try await clock.sleep(pause) } catch { return }
        }
    }

    /// A file that is not in order changes nothing: the mapper says what is wrong with it.
    private func rules(after inEffect: LoadedWriteBack?) async -> LoadedWriteBack? {
        do { return try await load() } catch {
            logger.debug("the rules that write back stay as they were: \(error)")
            return inEffect
        }
    }

    /// Once through what is due. Where nothing is to be written, nothing is asked.
    package func look(_ inEffect: LoadedWriteBack) async throws {
        let rules = inEffect.rules
        if rules.isEmpty { return }
        let left = try await store.tillWritesLeft(of: company.key)
        for outcome in TillWriteResult.Outcome.left {
            metrics.set(
                "tillbridge_till_writes_left", ["company": company.key.text, "outcome": outcome.rawValue],
                to: Int64(left[outcome, default: 0]))
        }
        // Neither kind waits for the other's trouble.
        let customers: Result<Void, any Error>
        do { customers = .success(try await writeReferences(inEffect, altered: left[.altered, default: 0])) } catch {
            customers = .failure(error)
        }
        if !rules.takings.isEmpty {
            try await store.reconsider(.takings, of: company.key, under: inEffect.hash)
            try await markTakings(inEffect)
        }
        try customers.get()
    }

    // MARK: customers

    /// - Parameter altered: customers of whom more was changed than was written. Then no other one is risked.
    private func writeReferences(_ inEffect: LoadedWriteBack, altered: Int) async throws {
        if inEffect.rules.customers.isEmpty { return }
        try await store.reconsider(.customer, of: company.key, under: inEffect.hash)
        if altered > 0, try await store.tillWritesLeft(of: company.key)[.altered, default: 0] > 0 { return }
        for due in try await store.dueCustomers(of: company.key, limit: Self.batch) {
            try Task.checkCancellation()
            let result = try await attempt(due.write, inEffect) { try await writeReference(due, inEffect) }
            if result?.outcome == .altered { return }
        }
    }

    /// - Returns: nil where there is a newer reason to look: it is looked at again.
    private func writeReference(_ due: DueCustomer, _ inEffect: LoadedWriteBack) async throws -> TillWriteResult? {
        func result(
            _ outcome: TillWriteResult.Outcome, value: String? = nil, cause: String? = nil
        ) -> TillWriteResult {
            TillWriteResult(
                outcome, value: value, cause: cause, rules: inEffect.hash, mappingVersion: inEffect.version)
        }
        let id = due.write.id
        // Before anything is written, always: somebody may have put something there.
        guard let customer = try await client.customer(id) else { return result(.gone) }
        switch inEffect.rules.decision(for: customer, contact: due.contact, ours: due.ours) {
        case .unruled: return result(.unruled)
        case .stands(let value): return result(.stands, value: due.ours.contains(value) ? value : nil)
        case .unusable(let cause): return result(.refused, cause: cause)
        case .foreign(let value):
            return result(
                .foreign, cause: "its reference_id is `\(value.prefix(60))`, which somebody else set; it is left")
        case .write(let value):
            let standing = customer.reference.flatMap { due.ours.contains($0) ? $0 : nil }
            guard try await store.intend(value, over: standing, due.write) else { return nil }
            pass(.pollerWriteStored)
            let after = try await client.setReference(value, of: id)
            pass(.pollerWriteAnswered)
            guard let after else { return result(.gone) }
            let changed = customer.fieldsChanged(in: after)
            if !changed.isEmpty {
                return result(
                    .altered, value: after.reference == value ? value : nil,
                    cause: "writing its reference_id changed \(changed.joined(separator: ", ")) as well")
            }
            guard after.reference == value else { throw UnkeptWrite(id: id) }
            return result(.written, value: value)
        }
    }

    // MARK: takings

    /// A site's takings are asked for once, however many are due.
    private func markTakings(_ inEffect: LoadedWriteBack) async throws {
        let due = try await store.dueTakings(of: company.key, limit: Self.batch)
        for (site, due) in Dictionary(grouping: due, by: \.site).sorted(by: { $0.key < $1.key }) {
            let wanted = due.filter { inEffect.rules.marksTakings(of: $0.venue, site: $0.site, on: $0.day) }
            let others = Set(due).subtracting(wanted)
            for other in others {
                try await settle(
                    other.write,
                    TillWriteResult(.unruled, rules: inEffect.hash, mappingVersion: inEffect.version))
            }
            guard let first = wanted.map(\.day).min() else { continue }
            // A day early: the site's own calendar may be ahead of the trading day's or behind.
            let unprocessed: Result<Set<String>, any Error>
            do {
                unprocessed = .success(try await client.unprocessedTakings(site: site, since: first.adding(days: -1)))
            } catch { unprocessed = .failure(error) }
            for due in wanted {
                try Task.checkCancellation()
                _ = try await attempt(due.write, inEffect) {
                    guard try unprocessed.get().contains(due.write.id) else {
                        return TillWriteResult(
                            .stands, rules: inEffect.hash, mappingVersion: inEffect.version)
                    }
                    return try await mark(due, inEffect)
                }
            }
        }
    }

    private func mark(_ due: DueTakings, _ inEffect: LoadedWriteBack) async throws -> TillWriteResult? {
        guard try await store.intend("processed", over: nil, due.write) else { return nil }
        pass(.pollerWriteStored)
        do { try await client.markProcessed(takings: due.write.id) } catch KountaError.notFound {
            return TillWriteResult(.gone, rules: inEffect.hash, mappingVersion: inEffect.version)
        }
        pass(.pollerWriteAnswered)
        return TillWriteResult(.written, value: "processed", rules: inEffect.hash, mappingVersion: inEffect.version)
    }
}

/// Kounta took a write and does not show it.
struct UnkeptWrite: Error, CustomStringConvertible {
    let id: String
    var description: String { "Kounta took the reference_id of customer \(id) and does not show it" }
}
