import JSON

extension KountaModel {
    /// What the service does not have: tests' and demos' hands on the simulation, under `/_control`.
    func control(_ call: Call) -> Answer {
        let (parts, _) = Self.parts(of: call.path)
        do {
            switch (call.method, parts.dropFirst().first, parts.count) {
            case ("GET", "ledger"?, 2): return Answer(200, body: ledger(withOrders: call.parameter("orders") == "1"))
            case ("GET", "counters"?, 2): return Answer(200, body: counterReport())
            case ("GET", "written"?, 2): return Answer(200, body: writtenReport())
            case ("DELETE", "customers"?, 3):
                guard let id = Int64(parts[2]), customers.byID[id] != nil else { return .notFound }
                customers.remove(id)
                return Answer(204)
            case ("POST", "faults"?, 2):
                faults.add(try FaultList.Fault(try JSON(parsing: call.body)))
                return Answer(201, body: Answer.json { $0.field("faults", faults.count) })
            case ("DELETE", "faults"?, 2):
                faults.clear()
                return Answer(204)
            case ("POST", "tokens"?, 2):
                let order = try JSON(parsing: call.body)
                if order["expire"]?.bool == true { office.expireAll(now: seconds) }
                if order["revoke"]?.bool == true { office.revokeAll() }
                return Answer(204)
            case ("POST", "reset"?, 2):
                reset()
                return Answer(204)
            case ("POST", "takings"?, 2):
                try miscount(try JSON(parsing: call.body))
                return Answer(204)
            case ("POST", "reconciliations"?, 2):
                try count(call.body)
                return Answer(204)
            case ("POST", "orders"?, 2):
                let order = try put(call.body, nil, isOnAccount: Self.isOpenAccount(call.body))
                return Answer(201, body: Answer.json { $0.field("id", order.id) })
            case ("POST", let action?, 3):
                guard let order = Int64(parts[2]).flatMap({ book.orders[$0] }) else { return .notFound }
                return try change(order, action, call)
            default: return .notFound
            }
        } catch {
            return .error(400, "invalid_request", "\(error)")
        }
    }

    /// A sale left on a customer's account says so; it waits for its money.
    private static func isOpenAccount(_ record: [UInt8]) -> Bool {
        guard let json = try? JSON(parsing: record), json["customer"]?.kind == .object else { return false }
        return json["order_payment_type"]?.string == "Account" && json["status"]?.string == "PENDING"
    }

    private func change(_ order: BookedOrder, _ action: String, _ call: Call) throws -> Answer {
        let record = try JSON(parsing: order.detail)
        switch action {
        case "edit":
            let patch = try JSON(parsing: call.body)
            guard patch.kind == .object else { throw RecordProblem(description: "an edit is an object of members") }
            let touched = OrderEditing.merging(try touch(isDeleted: nil), into: record)
            let edited = OrderEditing.merging(patch, into: try JSON(parsing: touched))
            try put(edited, nil, isOnAccount: Self.isOpenAccount(edited))
        case "enter":
            // `{"as": 5000000012, "sale_number": "…"}`: with what was sold and paid on that one.
            let patch = try JSON(parsing: call.body)
            guard let other = patch["as"]?.integer.flatMap({ book.orders[$0] }) else { return .notFound }
            let entered = OrderEditing.entering(try JSON(parsing: other.detail), on: record)
            let touched = OrderEditing.merging(try touch(isDeleted: nil), into: try JSON(parsing: entered))
            let name = try JSON(parsing: Answer.json { $0.field("sale_number", patch["sale_number"]?.string ?? "") })
            try put(OrderEditing.merging(name, into: try JSON(parsing: touched)), nil)
        case "delete":
            try put(OrderEditing.merging(try touch(isDeleted: true), into: record), nil)
        case "refund":
            nextRefund += 1
            try put(try refund(of: order, id: nextRefund, at: seconds), order.company)
            return Answer(201, body: Answer.json { $0.field("id", nextRefund) })
        default: return .notFound
        }
        return Answer(200, body: book.orders[order.id]?.detail ?? [])
    }

    /// `{"site": 923, "day": "2026-11-20", "method": "Cash", "difference_cents": -150}`: what was counted in the till
    /// is so much more than what it recorded. Said again, the till is counted again.
    private func miscount(_ json: JSON) throws {
        guard let site = json["site"]?.integer, let method = json["method"]?.string,
            let cents = json["difference_cents"]?.integer,
            let day = json["day"]?.string.flatMap({ SydneyClock.parse($0) }),
            let tender = Tender.all.first(where: { $0.name == method })
        else { throw RecordProblem(description: "takings need site, day, method and difference_cents") }
        book.miscount(TradeBook.TradingDay(day: day / 86_400, site: site), method: tender.id, by: cents)
    }

    /// A count as the service writes it, of whatever `reconciliation_level`; one with a known id takes its place.
    private func count(_ record: [UInt8]) throws {
        let json = try JSON(parsing: record)
        guard let id = json["id"]?.integer, let site = json["site"]?["id"]?.integer,
            let made = json["created_at"]?.string.flatMap({ SydneyClock.parse($0) })
        else { throw RecordProblem(description: "a count needs id, site and created_at") }
        counts[id] = (site, CivilTime(secondsSinceEpoch: made + SydneyClock.offset(at: made)).days, record)
    }

    private func touch(isDeleted: Bool?) throws -> JSON {
        try JSON(parsing: Answer.json { writer in
            writer.key("updated_at")
            writer.time(seconds)
            if let isDeleted { writer.field("deleted", isDeleted) }
        })
    }

    /// The truth of the simulation: what the ledger must come to. Records that cannot be believed are named and
    /// not summed.
    private func ledger(withOrders: Bool) -> [UInt8] {
        Answer.json { writer in
            writer.field("finished", isFinished)
            writer.field("waiting", waiting)
            writer.key("companies")
            writer.array { writer in
                for company in settings.companies {
                    writer.object { writer in
                        writer.field("id", company.id)
                        writer.field("name", company.name)
                        writer.key("sites")
                        writer.array { writer in for site in company.sites { write(site, &writer) } }
                    }
                }
            }
            writer.key("unbelievable")
            writer.array { writer in for id in book.unbelievable.sorted() { writer.number(id) } }
            guard withOrders else { return }
            writer.key("orders")
            writer.array { writer in
                for order in book.orders.values.sorted(by: { $0.id < $1.id }) { write(order, &writer) }
            }
        }
    }

    private func write(_ site: SimulatedSite, _ writer: inout JSONWriter) {
        let sums = book.sums[site.id] ?? TradeBook.Sums()
        writer.object { writer in
            writer.field("id", site.id)
            writer.field("name", site.name)
            writer.field("orders", sums.orders)
            writer.field("total", exactCents: sums.total)
            writer.field("tips", exactCents: sums.tips)
            writer.field("due", exactCents: sums.due)
            writer.field("paid", exactCents: sums.paid)
        }
    }

    private func write(_ order: BookedOrder, _ writer: inout JSONWriter) {
        guard order.isComplete, let figures = order.figures else { return }
        writer.object { writer in
            writer.field("id", order.id)
            writer.field("company", order.company)
            writer.field("site", order.site)
            writer.field("status", order.status)
            writer.key("created_at")
            writer.time(order.createdAt)
            writer.field("total", exactCents: figures.total)
            writer.field("tips", exactCents: figures.tips)
            writer.field("due", exactCents: figures.due)
            writer.field("paid", exactCents: figures.paid)
        }
    }

    private func counterReport() -> [UInt8] {
        Answer.json { writer in
            writer.key("calls")
            writer.object { writer in
                for (endpoint, calls) in counters.calls.sorted(by: { $0.key < $1.key }) {
                    writer.key(dynamic: endpoint)
                    writer.number(calls)
                }
            }
            writer.field("total", counters.calls.values.reduce(0, +))
            writer.field("refused", counters.refused)
            writer.field("unauthorised", counters.unauthorised)
            writer.field("faults", counters.faults)
            writer.field("mostInAMinute", counters.mostInAMinute)
            writer.field("inFlight", inFlight)
            writer.field("mostInFlight", counters.mostInFlight)
        }
    }
}
