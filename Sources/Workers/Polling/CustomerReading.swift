package import Domain
package import Kounta
package import Mapping
package import Messaging
import Setbacks
package import Settings
package import Store
package import Telemetry

/// Adds to orders what rules ask of their customers: Kounta's orders name a customer without tags, which stand in the
/// customer's own record.
///
/// A record is read once in `polling.customers_max_age`, whatever venue asks and however often the customer buys; what
/// was read is kept in PostgreSQL, so that the next poller knows it too. Where no rule asks, nothing is called. An
/// order whose customer cannot be read waits for the next poll rather than be booked by the wrong rule, but no longer
/// than `polling.customers_wait_max`: then it goes on, marked so that the mapper lays it on the desk.
package struct CustomerReading: Sendable {
    private let company: CompanyKey
    private let client: KountaClient
    private let store: any CustomerStore
    private let settings: PollingSettings
    /// What the rules in effect ask at each site; a site without rules may be left out.
    private let questions: @Sendable () async throws -> [SiteID: CustomerQuestion]
    private let keeps: Bool
    private let clock: WorkClock
    private let metrics: Metrics
    /// Two venues often have one customer: the second finds what the first has read.
    private let turn = SoloTurn()

    /// - Parameter keeps: false: what is read is not stored, for whoever only looks.
    package init(
        company: CompanyKey, client: KountaClient, store: any CustomerStore, settings: PollingSettings,
        questions: @escaping @Sendable () async throws -> [SiteID: CustomerQuestion], keeps: Bool = true,
        clock: WorkClock, metrics: Metrics
    ) {
        self.company = company
        self.client = client
        self.store = store
        self.settings = settings
        self.questions = questions
        self.keeps = keeps
        self.clock = clock
        self.metrics = metrics
    }

    /// - Parameter records: of orders of one site, as Kounta sent them.
    /// - Returns: each in its place, with what is known of its customer where a rule asks; and why it must wait.
    /// - Throws: ``KountaError`` that has nothing to do with any one customer; what the store throws.
    package func complete(
        _ records: [[UInt8]], at site: SiteID
    ) async throws -> [Result<[UInt8], UnreadCustomer>] {
        let question = try await questions()[site] ?? CustomerQuestion()
        guard question.isAsked else { return records.map { .success($0) } }
        let customers = records.map { record in
            CustomerAddition.customer(in: record).flatMap { question.isOpen(for: $0) ? $0.id : nil }
        }
        let wanted = Set(customers.compactMap(\.self))
        if wanted.isEmpty { return records.map { .success($0) } }
        let known = try await read(wanted)
        return zip(records, customers).map { record, customer in
            guard let customer, let found = known[customer] else { return .success(record) }
            guard let failure = found.failure else { return .success(CustomerAddition(of: found).added(to: record)) }
            guard clock.now().since(failure.since) >= settings.customersWaitMax else {
                return .failure(UnreadCustomer(id: customer, cause: failure.cause, waitMax: settings.customersWaitMax))
            }
            metrics.count("tillbridge_orders_without_customer_total", ["company": company.text])
            return .success(CustomerAddition.unread(cause: failure.cause).added(to: record))
        }
    }

    /// What is known of each by now; who is not known yet, or was read too long ago, is read.
    private func read(_ ids: Set<String>) async throws -> [String: KnownCustomer] {
        await turn.take()
        let result: Result<[String: KnownCustomer], any Error>
        do { result = .success(try await readInTurn(ids)) } catch { result = .failure(error) }
        await turn.giveBack()
        return try result.get()
    }

    private func readInTurn(_ ids: Set<String>) async throws -> [String: KnownCustomer] {
        var known = try await store.customers(ids, of: company)
        let now = clock.now()
        let due = ids.sorted().filter { id in
            guard let customer = known[id], customer.failure == nil else { return true }
            return now.since(customer.lookedAt) >= settings.customersMaxAge
        }
        let (read, trouble) = await look(at: due, known)
        if keeps {
            // Nobody believes them, or waits for them, any longer.
            let before = now.adding(.zero - settings.customersMaxAge - settings.customersWaitMax)
            try await store.keep(read, of: company, forgetting: before)
        }
        if let trouble { throw trouble }
        for customer in read { known[customer.id] = customer }
        return known
    }

    /// Some at a time. What was read before some trouble is worth keeping.
    private func look(
        at ids: [String], _ known: [String: KnownCustomer]
    ) async -> (read: [KnownCustomer], trouble: (any Error)?) {
        await withTaskGroup(of: Result<KnownCustomer, any Error>.self) { group in
            var waiting = ids.makeIterator()
            var read: [KnownCustomer] = []
            var trouble: (any Error)?
            func addNext() {
                guard trouble == nil, let id = waiting.next() else { return }
                group.addTask {
                    do { return .success(try await look(at: id, known[id]?.failure)) } catch {
                        return .failure(error)
                    }
                }
            }
            for _ in 0..<settings.concurrency { addNext() }
            while let result = await group.next() {
                switch result {
                case .success(let customer): read.append(customer)
                case .failure(let error): trouble = error
                }
                addNext()
            }
            return (read, trouble)
        }
    }

    /// - Throws: what is nobody's record's fault, and what ends this task.
    private func look(at id: String, _ before: KnownCustomer.Failure?) async throws -> KnownCustomer {
        do {
            // An order waits for it, and others for the turn.
            let found = try await client.customer(id, priority: .newOrders)
            count(found == nil ? "gone" : "read")
            return KnownCustomer(
                id: id, tags: found?.tags ?? [], email: found?.email, isGone: found == nil, lookedAt: clock.now())
        } catch let error as KountaError {
            switch error {
            case .rateLimited, .noToken: throw error
            case .unreachable, .refusedCredential, .notFound, .answered, .unexpectedShape: break
            }
            try Task.checkCancellation()
            count("failed")
            let now = clock.now()
            return KnownCustomer(
                id: id, lookedAt: now, failure: .init(since: before?.since ?? now, cause: "\(error)"))
        }
    }

    private func count(_ outcome: String) {
        metrics.count("tillbridge_customers_read_total", ["company": company.text, "outcome": outcome])
    }
}

extension CustomerAddition {
    fileprivate init(of known: KnownCustomer) {
        self = known.isGone ? .gone : .read(tags: known.tags, email: known.email)
    }
}

/// Kounta does not show a customer whom a rule asks for.
package struct UnreadCustomer: Error, CustomStringConvertible {
    let id: String
    let cause: String
    let waitMax: Duration

    package var description: String {
        "customer \(id) could not be read, and a rule asks for their tags or e-mail: \(cause); their orders wait, at "
            + "most \(DurationText.render(waitMax)), and then go to the desk"
    }
}
