import AMQP
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// What happens to documents after they were posted, from the queue to the simulated ledger.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct CorrectionTests {
    static func with(_ name: String, _ work: (RunningFleet) async throws -> Void) async throws {
        try await RunningFleet.with(name) { running in
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            try await work(running)
            #expect(try await running.movesWithoutReason().isEmpty)
        }
    }

    @Test("refunds in parts, by another tender, next day or on account: each a credit note, exact in every account")
    func refunds() async throws {
        try await Self.with("refunds") { running in
            let paid = TillOrder(101, 1230)
            let owed = TillOrder(102, 2000).onAccount(of: 5501, "Ada", "Byron")
            let mixed = TillOrder(103, 1000).onAccount(of: 5501, "Ada", "Byron").with {
                $0.payments = [.card(400, on: "2026-11-20")]
            }
            let wrong = TillOrder(104, 900)
            try await running.publish(paid, owed, mixed, wrong)
            try await running.wait("the sales") { try await running.watch.counts().settled == 4 }
            try await running.publish(
                paid.refund(111, 500, [.cash(500, on: "2026-11-21")]), owed.refund(112, 800, []),
                // Of 7.00, what had been paid goes back, the rest is not owed any longer.
                mixed.refund(113, 700, [.cash(400, on: "2026-11-22")]),
                wrong.refund(114, 900, [.card(900, on: "2026-11-21")]).with { $0.isNegative = true })
            try await running.wait("the credit notes") { try await running.watch.counts().settled == 8 }
            let deleted = wrong.refund(114, 900, [.card(900, on: "2026-11-21")]).with { $0.isDeleted = true }
            try await running.publish(
                paid.refund(115, 730, [.card(730, on: "2026-11-23")]),
                owed.with { $0.payments = [.cash(1200, on: "2026-11-24")] }, deleted)
            try await running.wait("the second half") {
                let ledger = try await running.ledger()
                return ledger.line("HBR-115") == "PAID 7.30 due 0.00" && ledger.line("HBR-102") == "PAID 20.00 due 0.00"
                    && ledger.line("HBR-114") == "VOIDED 9.00 due 9.00"
            }
            let ledger = try await running.ledger()
            #expect(ledger.lines == [
                "HBR-101 PAID 12.30 due 0.00", "HBR-102 PAID 20.00 due 0.00", "HBR-103 AUTHORISED 10.00 due 3.00",
                "HBR-104 PAID 9.00 due 0.00", "HBR-111 PAID 5.00 due 0.00", "HBR-112 PAID 8.00 due 0.00",
                "HBR-113 PAID 7.00 due 0.00", "HBR-114 VOIDED 9.00 due 9.00", "HBR-115 PAID 7.30 due 0.00",
            ])
            #expect(ledger.allocations == ["HBR-112 HBR-102 8.00", "HBR-113 HBR-103 3.00"])
            // 12.30 and 9.00 by card less 7.30; 4.00 by card; cash: 12.00 less 5.00 and 4.00.
            #expect(ledger.takings == ["231": 300, "232": 1800])
            #expect(ledger.creditNotes.filter { $0.number == "HBR-112" }.map(\.contact) == ["5501"])
            // The whole of 101 is given back: nothing is left for a third.
            try await running.publish(paid.refund(116, 100, [.cash(100, on: "2026-11-24")]))
            try await running.wait("the letter") { try await running.watch.counts().dead == 1 }
            #expect(try await running.letters().first?.contains("only 0.00 is left") == true)
            // The ledger was looked at; what the writer notes of it comes after.
            try await running.wait("all of it stored") { try await running.unfinished().isEmpty }
        }
    }

    @Test("deleted or edited where a period is locked or a payment reconciled: taken back by the other kind, and why")
    func takenBack() async throws {
        try await Self.with("taken-back") { running in
            let reconciled = TillOrder(201, 1230)
            let locked = TillOrder(202, 1100, on: "2026-10-31")
            let edited = TillOrder(203, 2200, on: "2026-10-30")
            let owed = TillOrder(204, 3300, on: "2026-10-30").onAccount(of: 5501, "Ada", "Byron")
            let straddling = TillOrder(205, 4400, on: "2026-10-31").with {
                // The one that could still be taken away comes first.
                $0.payments = [.cash(3400, on: "2026-11-02"), .card(1000, on: "2026-10-31")]
            }
            let returned = TillOrder(206, 500)
            try await running.publish(reconciled, locked, edited, owed, straddling, returned)
            try await running.wait("the sales") { try await running.watch.counts().settled == 6 }
            try await running.publish(returned.refund(216, 500, [.cash(500, on: "2026-11-21")]))
            try await running.wait("the refund") { try await running.watch.counts().settled == 7 }
            try await running.organisation(#""periodLockDate":"2026-10-31","reconcile":["HBR-201","HBR-216"]"#)
            try await running.publish(
                reconciled.with { $0.isDeleted = true }, locked.with { $0.isDeleted = true },
                edited.with { ($0.cents, $0.payments) = (2310, [.card(2310, on: "2026-10-30")]) },
                owed.with { $0.isDeleted = true }, straddling.with { $0.isDeleted = true },
                returned.refund(216, 500, [.cash(500, on: "2026-11-21")]).with { $0.isDeleted = true })
            try await running.wait("what takes them back") { try await running.watch.counts().settled == 14 }
            let ledger = try await running.ledger()
            #expect(ledger.lines == [
                "HBR-201 PAID 12.30 due 0.00", "HBR-201-x PAID 12.30 due 0.00", "HBR-202 PAID 11.00 due 0.00",
                "HBR-202-x PAID 11.00 due 0.00", "HBR-203 PAID 22.00 due 0.00", "HBR-203-r1 PAID 23.10 due 0.00",
                "HBR-203-x PAID 22.00 due 0.00", "HBR-204 PAID 33.00 due 0.00", "HBR-204-x PAID 33.00 due 0.00",
                "HBR-205 PAID 44.00 due 0.00", "HBR-205-x PAID 44.00 due 0.00", "HBR-206 PAID 5.00 due 0.00",
                "HBR-216 PAID 5.00 due 0.00", "HBR-216-x PAID 5.00 due 0.00",
            ])
            #expect(ledger.allocations == ["HBR-204-x HBR-204 33.00"])
            // Nothing was taken away half: the payment of the open day stands beside that of the locked one.
            #expect(ledger.payments.allSatisfy { !$0.isDeleted })
            // The sale 206 by card and the edited 203; what was given back in cash for 206 is undone.
            #expect(ledger.takings == ["231": 0, "232": 500 + 2310])
            #expect(ledger.dates["HBR-203-r1"] == "2026-11-01" && ledger.dates["HBR-202-x"] == "2026-11-01")
            #expect(ledger.dates["HBR-201-x"] == "2026-11-20")
            #expect(try await running.letters().isEmpty)
            #expect(try await running.unfinished().isEmpty)

            for (order, words) in [
                ("201", ["HBR-201-x takes HBR-201 back", "a payment is reconciled with the bank"]),
                ("203", ["the period of 2026-10-30 is locked", "HBR-203-r1", "it is dated 2026-11-01"]),
            ] {
                let told = try await running.fleet.tillbridge(["mapping", "explain", order], log: "explain-\(order)")
                for word in words { #expect(told.output.contains(word), "\(told.output)") }
            }
        }
    }

    @Test("edited after posting: changed in place where Xero allows it, else void and posted again, and settled again")
    func edited() async throws {
        try await Self.with("edits") { running in
            let ada = TillOrder(301, 1230).onAccount(of: 5501, "Ada", "Byron")
            // Another person of the same name.
            let other = TillOrder(302, 700).onAccount(of: 5502, "Ada", "Byron")
            let words = TillOrder(303, 1230)
            let settled = TillOrder(304, 1000).onAccount(of: 5501, "Ada", "Byron")
            let paidLater = TillOrder(305, 2000).onAccount(of: 5502, "Ada", "Byron")
            try await running.publish(ada, other, words, settled, paidLater)
            try await running.wait("the sales") { try await running.watch.counts().settled == 5 }
            let ids = try await running.ledger().ids
            try await running.publish(
                settled.refund(314, 400, []), paidLater.with { $0.payments = [.cash(500, on: "2026-11-22")] })
            try await running.wait("what settles them") {
                let ledger = try await running.ledger()
                return ledger.line("HBR-304") == "AUTHORISED 10.00 due 6.00"
                    && ledger.line("HBR-305") == "AUTHORISED 20.00 due 15.00"
            }
            try await running.publish(
                ada.with { ($0.cents, $0.product) = (1540, "Large pie") },
                // Paid at once as it is changed.
                other.with { ($0.cents, $0.payments) = (800, [.card(300, on: "2026-11-23")]) },
                words.with { ($0.product, $0.saleNumber) = ("Pie with sauce", "T1-303b") },
                settled.with { $0.cents = 1100 },
                paidLater.with { $0.payments = [.cash(500, on: "2026-11-22"), .card(1500, on: "2026-11-25")] })
            try await running.wait("the changes") {
                let ledger = try await running.ledger()
                return ledger.line("HBR-304-r1") == "AUTHORISED 11.00 due 7.00"
                    && ledger.line("HBR-301") == "AUTHORISED 15.40 due 15.40"
                    && ledger.line("HBR-302") == "AUTHORISED 8.00 due 5.00" && ledger.references["HBR-303"] == "T1-303b"
                    && ledger.line("HBR-305") == "PAID 20.00 due 0.00"
            }
            try await running.wait("all of it stored") { try await running.unfinished().isEmpty }
            let ledger = try await running.ledger()
            #expect(ledger.lines == [
                "HBR-301 AUTHORISED 15.40 due 15.40", "HBR-302 AUTHORISED 8.00 due 5.00", "HBR-303 PAID 12.30 due 0.00",
                "HBR-304 VOIDED 10.00 due 10.00", "HBR-304-r1 AUTHORISED 11.00 due 7.00", "HBR-305 PAID 20.00 due 0.00",
                "HBR-314 PAID 4.00 due 0.00",
            ])
            #expect(ledger.allocations == ["HBR-314 HBR-304-r1 4.00"])
            #expect(ledger.takings == ["231": 500, "232": 300 + 1230 + 1500])
            // The same documents as before, and the paid one's payment was left alone.
            for number in ["HBR-301", "HBR-302", "HBR-303"] { #expect(ledger.ids[number] == ids[number]) }
            #expect(ledger.payments.allSatisfy { !$0.isDeleted })
            // Whoever came first has the plain name.
            let names = Set(ledger.contacts.filter { $0.number == "5501" || $0.number == "5502" }.map(\.name))
            #expect(names == ["Ada Byron", "Ada Byron (5501)"] || names == ["Ada Byron", "Ada Byron (5502)"])
            let told = try await running.fleet.tillbridge(["mapping", "explain", "301"], log: "explain-301")
            #expect(told.output.contains("so Xero lets it be updated"), "\(told.output)")
            #expect(try await running.letters().isEmpty)
        }
    }

    @Test("an old version that comes once more right behind the new one changes nothing: what was read later counts")
    func behind() async throws {
        try await Self.with("behind") { running in
            let messages = Messages(run: running.fleet.run)
            func version(_ order: TillOrder, readAfter seconds: Int64) -> AMQPMessage {
                let seen: [String: AMQPField] = ["tb-first-seen": .int(1_760_000_000_000_000 + seconds * 1_000_000)]
                return messages.order(id: "\(order.id)", body: order.json, headers: seen)
            }
            let order = TillOrder(321, 1230)
            try await running.publish([version(order, readAfter: 0)])
            try await running.wait("the sale") { try await running.watch.counts().settled == 1 }
            // Both wait for the next mapper, which takes them in one batch.
            try await running.stop("mapper")
            try await running.publish([
                version(order.with { $0.saleNumber = "T1-321b" }, readAfter: 60), version(order, readAfter: 0),
            ])
            _ = try await running.fleet.startWorker("mapper", log: "mapper-again")
            try await running.wait("the new version") {
                try await running.ledger().references["HBR-321"] == "T1-321b"
            }
            try await running.wait("all of it stored") { try await running.unfinished().isEmpty }
            #expect(try await running.ledger().lines == ["HBR-321 PAID 12.30 due 0.00"])
        }
    }

    @Test("what is deleted or paid later in Kounta is noticed by the poller, and the ledger follows")
    func polled() async throws {
        let environment = [
            "TILLBRIDGE_POLLING_CORRECTIONS_INTERVAL": "500ms", "TILLBRIDGE_POLLING_RESCAN_WINDOW": "3650d",
        ]
        try await RunningFleet.with("polled", environment: environment) { running in
            try await running.fleet.startWorkers(["poller", "mapper", "writer", "dead-letter-handler"])
            let till = running.fleet.kounta
            let owed = TillOrder(502, 2000).onAccount(of: 5501, "Ada", "Byron")
            // A table that is still open, of a customer who is known: no sale yet.
            let open = TillOrder(504, 700).onAccount(of: 5501, "Ada", "Byron")
            for body in [
                TillOrder(501, 1230).json, TillOrder(503, 900).json,
                owed.json.replacing(#""COMPLETE""#, with: #""PENDING""#),
                open.json.replacing(#""COMPLETE""#, with: #""PENDING""#).replacing(#""Account""#, with: #""sale""#),
            ] { try await till.post("/_control/orders", body) }
            try await running.wait("the sales") { try await running.watch.counts().settled == 3 }
            #expect(try await running.ledger().line("HBR-502") == "AUTHORISED 20.00 due 20.00")
            // One that Kounta no longer has by itself.
            let gone = #"{"match":{"path":"/companies/162/orders/503"},"action":{"status":404},"count":50}"#
            try await till.post("/_control/faults", gone)
            try await till.post("/_control/delete/501", "{}")
            try await till.post("/_control/delete/503", "{}")
            let paid = owed.with { $0.payments = [.cash(2000, on: "2026-11-24")] }
            try await till.post("/_control/orders", paid.json)
            try await running.wait("what follows") {
                let lines = try await running.ledger().lines
                return lines == [
                    "HBR-501 VOIDED 12.30 due 12.30", "HBR-502 PAID 20.00 due 0.00", "HBR-503 VOIDED 9.00 due 9.00",
                ]
            }
            try await running.wait("all of it stored") { try await running.unfinished().isEmpty }
            #expect(try await running.ledger().takings == ["231": 2000])
            #expect(try await running.letters().isEmpty)
        }
    }
}

extension LedgerView {
    /// `HBR-1 PAID 12.30 due 0.00`, sorted.
    var lines: [String] {
        (invoices + creditNotes).map { "\($0.number) \($0.status) \($0.total) due \($0.due)" }.sorted()
    }

    /// Without the number; nil where there is none.
    func line(_ number: String) -> String? {
        lines.first { $0.hasPrefix("\(number) ") }.map { String($0.dropFirst(number.count + 1)) }
    }

    /// What stands in each clearing account, in cents: paid on invoices less paid back on credit notes.
    var takings: [String: Int64] {
        payments.filter { !$0.isDeleted }.reduce(into: [:]) { sums, payment in
            let cents = Cents(payment.amount)?.value ?? 0
            sums[payment.account, default: 0] += payment.creditNote == nil ? cents : -cents
        }
    }
}

extension RunningFleet {
    /// Changes the first organisation in the simulator.
    func organisation(_ members: String) async throws {
        let tenant = fleet.plan.organisations[0].tenant
        try await fleet.xero.post("/_control/organisations", #"{"tenantId":"\#(tenant)",\#(members)}"#)
    }

    /// Documents that a writer has something left to do with.
    func unfinished() async throws -> [String] {
        try await rows("SELECT number FROM \(fleet.schema).document WHERE closed_at IS NULL ORDER BY id").map {
            try $0.text("number")
        }
    }
}
