import JSON

/// The whole simulated service: what it knows and how it answers. One actor, since every call reads what another wrote;
/// an answer takes microseconds. It advances by itself whenever it is asked, so tests with a clock of their own need no
/// timer.
package actor KountaModel {
    let settings: KountaSettings
    /// Unix milliseconds.
    private let clock: @Sendable () -> Int64
    private let file: TakeawayFile?
    private let generator: OrderGenerator
    private let onHook: @Sendable (HookDelivery) -> Void

    var book = TradeBook()
    var customers: CustomerList
    var office: TokenOffice
    var gate: RateGate
    var counters = CallCounters()
    var faults: FaultList
    var hooks = HookRegister()
    /// Days whose takings somebody has marked, and how often.
    var processed: [TradeBook.TradingDay: Int] = [:]
    /// Counts of registers, shifts or staff as somebody wrote them, by id: beside those of whole venues and days.
    var counts: [Int64: (site: Int64, day: Int64, body: [UInt8])] = [:]
    private var schedule: TradeSchedule
    private var refusals = 0
    /// Calls that came and are not answered yet, delays of faults included; not those of the control.
    private(set) var inFlight = 0
    var nextRefund: Int64 = 8_000_000_000

    /// Reads the file of real orders, if there is one, and books what is there from the start.
    package init(
        settings: KountaSettings, clock: @escaping @Sendable () -> Int64,
        onHook: @escaping @Sendable (HookDelivery) -> Void = { _ in }
    ) async throws {
        self.settings = settings
        self.clock = clock
        self.onHook = onHook
        file = try settings.csvPath.map { try TakeawayFile(path: $0, companies: settings.companies) }
        generator = OrderGenerator(seed: settings.seed, shape: settings.shape)
        customers = CustomerList(companies: settings.companies)
        office = TokenOffice(settings: settings)
        gate = RateGate(limits: settings.limits)
        faults = FaultList(seed: settings.seed)
        schedule = TradeSchedule(settings: settings, stored: file?.orders.count ?? 0, now: clock())
        advance()
    }

    var now: Int64 { clock() }
    var seconds: Int64 { clock() / 1_000 }
    var products: [MenuItem] { Menu.everything + (file?.products ?? []) }
    var isFinished: Bool { schedule.isFinished }
    var waiting: Int { schedule.waiting }

    /// Begins again from the start, with the clock as it is now.
    func reset() {
        book = TradeBook()
        customers = CustomerList(companies: settings.companies)
        office = TokenOffice(settings: settings)
        gate = RateGate(limits: settings.limits)
        counters = CallCounters()
        faults = FaultList(seed: settings.seed)
        hooks = HookRegister()
        processed = [:]
        counts = [:]
        schedule = TradeSchedule(settings: settings, stored: file?.orders.count ?? 0, now: clock())
        advance()
    }

    /// Books what is due by now.
    package func advance() {
        let now = clock()
        while let release = schedule.next(now: now) {
            // Records of the simulator's own making can always be booked; were one not, the trade would be
            // incomplete, and a proof against it worthless.
            do { try book(release) } catch { preconditionFailure("a scheduled order cannot be booked: \(error)") }
        }
    }

    /// A call has come; ``leave()`` when it is answered.
    func enter() {
        inFlight += 1
        counters.note(inFlight: inFlight)
    }

    func leave() { inFlight -= 1 }

    private func book(_ release: TradeSchedule.Release) throws {
        let at = release.at / 1_000
        switch release.happening {
        case .stored(let index):
            guard let order = file?.orders[index] else { return }
            try put(order.json(.complete, shape: settings.shape, updatedAt: order.createdAt + 60), order.company)
        case .generated(let n, let till, let stage, let openedAt):
            let order = order(n, till, openedAt ?? at)
            let updatedAt = openedAt.map { max($0 + 60, settings.durationSeconds > 0 ? at : 0) } ?? at
            let isOnAccount = stage == .pending && order.customer != nil
            let record = order.json(stage, shape: settings.shape, updatedAt: updatedAt)
            try put(record, order.company, isOnAccount: isOnAccount)
        case .spoiled(let n, let till, let way):
            let order = order(n, till, at)
            let record = try JSON(parsing: order.json(.complete, shape: settings.shape, updatedAt: at))
            try put(OrderEditing.spoiled(record, way: way), order.company, isBad: true)
        case .refund(let n, let number):
            guard let sale = book.orders[OrderGenerator.firstID + Int64(n)] else { return }
            let id = OrderGenerator.firstID + Int64(number)
            try put(refund(of: sale, id: id, at: max(at, sale.createdAt + 1)), sale.company)
        }
    }

    private func order(_ n: Int, _ till: Int, _ createdAt: Int64) -> TillOrder {
        let till = schedule.tills[till]
        return generator.order(
            n, company: till.company, site: till.site, register: till.register, createdAt: createdAt)
    }

    func refund(of sale: BookedOrder, id: Int64, at: Int64) throws -> [UInt8] {
        let record = try JSON(parsing: sale.detail)
        return try OrderEditing.refund(of: record, id: id, at: at, isNegative: settings.refundsAreNegative)
    }

    /// Books a record and tells the hooks if it completed or was deleted by it.
    @discardableResult
    func put(
        _ detail: [UInt8], _ company: Int64?, isOnAccount: Bool = false, isBad: Bool = false
    ) throws -> BookedOrder {
        let order = try BookedOrder(
            detail, company: company, isOnAccount: isOnAccount, isBad: isBad, tipsInTotal: settings.shape.tipsInTotal)
        let old = book.orders[order.id]
        book.put(order)
        if !hooks.isEmpty {
            if order.isComplete && !(old?.isComplete ?? false) { announce("orders/completed", order) }
            if order.isDeleted && !(old?.isDeleted ?? false) { announce("orders/deleted", order) }
        }
        return order
    }

    private func announce(_ topic: String, _ order: BookedOrder) {
        let known = hooks.listening(to: topic, company: order.company, site: order.site)
        for hook in known {
            let secret = settings.hookSecret ?? hook.secret
            onHook(HookDelivery(topic: topic, hook: hook, secret: secret, body: order.detail))
        }
    }

    /// Both forms of the refusal by turns; one in ten says when to come back.
    func limitExceeded(reset: Int64) -> Answer {
        refusals += 1
        counters.noteRefused()
        var answer: Answer
        if refusals % 2 == 1 {
            answer = Answer(429, body: Array("Limit exceeded".utf8))
            answer.headers = [("Content-Type", "text/plain")]
        } else {
            answer = Answer(429, body: Answer.json { $0.field("error", "Limit exceeded") })
        }
        if refusals % 10 == 0 { answer.headers.append(("Retry-After", String(max(1, reset - seconds)))) }
        return answer
    }
}
