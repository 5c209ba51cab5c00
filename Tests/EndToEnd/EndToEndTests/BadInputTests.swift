import Postgres
import AMQP
import JSON
import Testing

@testable import FleetHarness

@Suite(.enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(5)))
struct BadInputTests {
    @Test("broken, hostile and doubled messages are parked with their reasons; the neighbours are booked to the cent")
    func badInput() async throws {
        try await RunningFleet.with("bad") { running in
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            let messages = Messages(run: running.fleet.run)
            let good = (1...20).map { messages.order(id: "60\($0)") }
            let bad = messages.bad
            // Bad ones between good ones, and every good one twice.
            var all: [AMQPMessage] = []
            for (index, message) in (good + good).enumerated() {
                all.append(message)
                if index < bad.count { all.append(bad[index].message) }
            }
            try await running.publish(all)

            try await running.wait("every letter and every invoice") {
                let counts = try await running.watch.counts()
                let queued = try await running.watch.queued()
                return counts.dead >= bad.count && counts.settled >= good.count && queued == 0
            }
            let numbers = try await running.invoiceNumbers()
            #expect(numbers.sorted() == (1...20).map { "HBR-60\($0)" }.sorted())
            let summary = try await running.fleet.xero.get("/_control/ledger")
            let totals = (summary["organisations"]?.elements ?? []).flatMap { $0["invoices"]?.elements ?? [] }
            #expect(totals.allSatisfy { $0["Total"]?.numberText == "12.30" && $0["AmountDue"]?.numberText == "0.00" })

            let letters = try await running.rows(
                "SELECT class, cause, remedy, length(body)::bigint AS size FROM \(running.fleet.schema).dead_letter")
            #expect(letters.count == bad.count)
            for (name, deadLetterClass, word, message) in bad {
                let found = try letters.filter {
                    try $0.text("cause").contains(word) && $0.text("class") == deadLetterClass
                }
                let causes = try letters.map { try $0.text("cause") }
                #expect(found.count == 1, "\(name): \(causes)")
                let remedies = try found.map { try $0.text("remedy") }
                #expect(remedies.allSatisfy { !$0.isEmpty }, "\(name)")
                // Nothing is lost: the whole message is on the desk.
                let size = try found.first?.int("size")
                #expect(size == Int64(message.body.count), "\(name)")
            }
        }
    }
}

/// Messages as the poller sends them.
struct Messages {
    let run: String
    var exchange: String { "\(run).work" }
    var key: String { "\(run).map" }

    typealias Bad = (name: String, deadLetterClass: String, word: String, message: AMQPMessage)

    /// Each kind of bad input, with the class and a word of the cause that its letter must have.
    var bad: [Bad] {
        [
            ("broken JSON", "parse", "not valid JSON", order(id: "701", body: #"{"id": 701, "total": "#)),
            ("no JSON object", "parse", "no order", order(id: "702", body: "[1, 2]")),
            ("missing field", "value", "`site_id` is missing",
                order(id: "703") { $0.replacing(#""site_id":923,"#, with: "") }),
            ("no number", "value", "twelve",
                order(id: "704") { $0.replacing(#""total":12.30"#, with: #""total":"twelve""#) }),
            ("negative total", "value", "negative",
                order(id: "705") { $0.replacing(#""total":12.30"#, with: #""total":-12.30"#) }),
            ("unknown venue", "mapping", "site 99999",
                order(id: "706") { $0.replacing(#""site_id":923"#, with: #""site_id":99999"#) }),
            ("ten megabytes", "too_large", "bytes",
                order(id: "707", body: String(repeating: "x", count: 10_000_000))),
            ("unknown header", "parse", "tb-colour",
                order(id: "708", headers: ["tb-colour": .string("red")])),
            ("another version", "parse", "tb-version is 9",
                order(id: "709", headers: ["tb-version": .int(9)])),
            ("no headers at all", "parse", "tb-version is missing",
                AMQPMessage(
                    exchange: exchange, routingKey: key, messageID: "x", body: [1, 2, 3])),
        ]
    }

    /// One product of 12.30 with GST, paid by card.
    static func body(id: String) -> String {
        """
        {"id":\(id),"company_id":162,"site_id":923,"register_id":9091,"status":"COMPLETE","sale_number":"T1-\(id)",\
        "total":12.30,"total_tax":1.12,"paid":12.30,"created_at":"2026-11-20T10:00:00+11:00",\
        "lines":[{"number":1,"product":{"id":1,"name":"Pie"},"quantity":1,"unit_price":11.1818,"unit_tax":1.1182,\
        "line_total_ex_tax":11.18,"line_total_tax":1.12,"taxes":[{"id":1,"name":"GST","rate":0.1}]}],\
        "payments":[{"id":1,"method":{"id":2,"name":"Card"},"amount":12.30,"created_at":"2026-11-20T10:00:05+11:00"}]}
        """
    }

    func order(
        id: String, body: String? = nil, headers extra: [String: AMQPField] = [:], _ edit: (String) -> String = { $0 }
    ) -> AMQPMessage {
        var headers: [String: AMQPField] = [
            "tb-version": .int(1), "tb-attempt": .int(0), "tb-first-seen": .int(1_760_000_000_000_000),
            "tb-company": .string("harbour"), "tb-kind": .string("order"), "tb-id": .string(id),
        ]
        headers.merge(extra) { $1 }
        return AMQPMessage(
            exchange: exchange, routingKey: key, headers: headers, contentType: "application/json",
            messageID: "order/\(id)/\(extra.count)", body: Array((body ?? edit(Self.body(id: id))).utf8))
    }
}
