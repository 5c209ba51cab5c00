import Testing

@testable import FleetHarness

/// Sales and refunds that were set against each other in a period that is locked now.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct SettledCorrectionTests {
    @Test("what was set against each other is taken back on the first open day: nothing parked, nothing twice")
    func settled() async throws {
        try await CorrectionTests.with("settled") { running in
            func owed(_ id: Int, _ cents: Int) -> TillOrder {
                TillOrder(id, cents, on: "2026-10-30").onAccount(of: 5501, "Ada", "Byron")
            }
            let (deleted, edited, kept) = (owed(401, 2000), owed(402, 3000), owed(403, 1000))
            try await running.publish(deleted, edited, kept)
            try await running.wait("the sales") { try await running.watch.counts().settled == 3 }
            let day = "2026-10-31"
            let (gone, changed) = (kept.refund(413, 400, [], on: day), kept.refund(414, 300, [], on: day))
            try await running.publish(
                deleted.refund(411, 500, [], on: day), edited.refund(412, 800, [], on: day), gone, changed)
            try await running.wait("the refunds") { try await running.watch.counts().settled == 7 }
            try await running.organisation(#""periodLockDate":"2026-10-31""#)
            try await running.publish(
                deleted.with { $0.isDeleted = true }, edited.with { $0.cents = 3100 },
                gone.with { $0.isDeleted = true }, changed.with { $0.cents = 500 })
            try await running.wait("what takes them back") { try await running.watch.counts().settled == 13 }
            // Edited once more, in an open period; and 5.00 of 10.00 is left to give back, since 413 is none now.
            try await running.publish(
                edited.with { $0.cents = 3200 }, kept.refund(415, 500, [.cash(500, on: "2026-11-24")]))
            try await running.wait("what comes after") {
                let ledger = try await running.ledger()
                return ledger.line("HBR-402-r2") == "AUTHORISED 32.00 due 24.00"
                    && ledger.line("HBR-415") == "PAID 5.00 due 0.00"
            }
            try await running.wait("all of it stored") { try await running.unfinished().isEmpty }
            let ledger = try await running.ledger()
            #expect(ledger.lines == [
                "HBR-401 PAID 20.00 due 0.00", "HBR-401-x AUTHORISED 20.00 due 5.00", "HBR-402 PAID 30.00 due 0.00",
                "HBR-402-r1 VOIDED 31.00 due 31.00", "HBR-402-r2 AUTHORISED 32.00 due 24.00",
                "HBR-402-x PAID 30.00 due 0.00", "HBR-403 AUTHORISED 10.00 due 1.00", "HBR-411 PAID 5.00 due 0.00",
                "HBR-412 PAID 8.00 due 0.00", "HBR-413 PAID 4.00 due 0.00", "HBR-413-x AUTHORISED 4.00 due 4.00",
                "HBR-414 PAID 3.00 due 0.00", "HBR-414-r1 PAID 5.00 due 0.00", "HBR-414-x PAID 3.00 due 0.00",
                "HBR-415 PAID 5.00 due 0.00",
            ])
            #expect(ledger.allocations == [
                "HBR-401-x HBR-401 15.00", "HBR-402-x HBR-402 22.00", "HBR-402-x HBR-402-r2 8.00",
                "HBR-411 HBR-401 5.00", "HBR-412 HBR-402 8.00", "HBR-413 HBR-403 4.00", "HBR-414 HBR-403 3.00",
                "HBR-414-r1 HBR-403 2.00", "HBR-414-r1 HBR-414-x 3.00",
            ])
            for number in ["HBR-401-x", "HBR-402-x", "HBR-413-x", "HBR-414-x", "HBR-414-r1"] {
                #expect(ledger.dates[number] == "2026-11-01", "\(number)")
            }
            #expect(try await running.letters().isEmpty)
            let told = try await running.fleet.tillbridge(["mapping", "explain", "401"], log: "explain-401")
            #expect(told.output.contains("stays the customer's credit"), "\(told.output)")
        }
    }
}
