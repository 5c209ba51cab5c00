import Domain
import HTTP
import Messaging
import Postgres
import Testing

/// Xero's own name for a call travels from its answer to the audit, whatever the answer was.
@Suite(.serialized, .enabled(if: LiveServers.areThere, LiveServers.absence), .timeLimit(.minutes(2)))
struct CorrelationTests {
    private struct Call {
        let outcome: String
        let correlation: String?
        let isFinished: Bool
    }

    private func calls(_ books: SimulatedBooks, _ kind: String) async throws -> [Call] {
        try await books.pool.withSession { session in
            try session.query(
                """
                SELECT outcome, correlation_id, finished_at IS NOT NULL AS finished FROM attempt WHERE kind = $1
                 ORDER BY id
                """, [.text(kind)]
            ).map {
                Call(
                    outcome: try $0.textOrNil("outcome") ?? "-", correlation: try $0.textOrNil("correlation_id"),
                    isFinished: try $0.bool("finished"))
            }
        }
    }

    /// `before after` with the call that led to it.
    private func moves(_ books: SimulatedBooks) async throws -> [String: String] {
        try await books.pool.withSession { session in
            try session.query(
                "SELECT before, after, correlation_id FROM audit WHERE correlation_id IS NOT NULL ORDER BY id"
            ).reduce(into: [:]) { moves, row in
                let move = "\(try row.textOrNil("before") ?? "-") \(try row.text("after"))"
                moves[move] = try row.text("correlation_id")
            }
        }
    }

    private func fault(_ books: SimulatedBooks, _ action: String, at path: String) async throws {
        _ = try await books.control(
            .post, "faults", #"{"match":{"path":"/api.xro/2.0/\#(path)"},"action":\#(action),"count":1}"#)
    }

    @Test("of a good answer: the move to written has the invoices' call, and the end that of the payments")
    func good() async throws {
        try await SimulatedBooks.with("correlategood") { books in
            let ids = try await books.map([.init(number: "HBR-1")])
            #expect(try await books.write(ids).isEmpty)
            let invoices = try #require(try await calls(books, "invoices").first?.correlation)
            let payments = try #require(try await calls(books, "payments").first?.correlation)
            #expect(invoices != payments && !invoices.isEmpty)
            #expect(try await moves(books) == ["sent written": invoices, "written written": payments])
        }
    }

    @Test("of a request that is refused as a whole, and of a 500, invoices and payments")
    func failed() async throws {
        try await SimulatedBooks.with("correlatebad") { books in
            let headers = #""headers":{"Xero-Correlation-Id":"corr-400"}"#
            try await fault(books, #"{"status":400,"body":{"Message":"no"},\#(headers)}"#, at: "Invoices")
            #expect(try await books.write(books.map([.init(number: "HBR-1")])).map(\.queue) == [.dead])
            #expect(try await moves(books) == ["sent refused": "corr-400"])

            try await fault(books, #"{"status":500,"headers":{"Xero-Correlation-Id":"corr-500"}}"#, at: "Invoices")
            let second = try await books.map([.init(number: "HBR-2")])
            _ = try await books.write(second)
            #expect(try await moves(books)["sent uncertain"] == "corr-500")
            let last = try #require(try await calls(books, "invoices").last)
            #expect(last.outcome.hasPrefix("uncertain: 500") && last.correlation == "corr-500" && last.isFinished)

            try await fault(books, #"{"status":500,"headers":{"Xero-Correlation-Id":"corr-501"}}"#, at: "Payments")
            _ = try await books.write(second)
            #expect(try await calls(books, "payments").last?.correlation == "corr-501")
        }
    }

    @Test("of a document made void: each call of it is told, and the last is in the audit")
    func voided() async throws {
        try await SimulatedBooks.with("correlatevoid") { books in
            let ids = try await books.map([.init(number: "HBR-1")])
            #expect(try await books.write(ids).isEmpty)
            _ = try await books.pool.withSession { session in
                try session.execute(
                    "UPDATE document SET task = 'void', reason = 'deleted', closed_at = NULL, fencing = fencing + 1")
            }
            _ = try await books.write(ids)
            #expect(try await books.states() == ["HBR-1": "voided"])
            let changes = try await calls(books, "changes")
            // The payment, then the invoice.
            #expect(changes.count == 2 && changes.allSatisfy { $0.isFinished && $0.outcome == "answered" })
            #expect(Set(changes.compactMap(\.correlation)).count == 2)
            #expect(try await moves(books)["written voided"] == changes.last?.correlation)
        }
    }

    @Test("of a change that Xero refuses: the sentence and the call stand with the attempt, and the call in the audit")
    func refusedChange() async throws {
        try await SimulatedBooks.with("correlaterefused") { books in
            let ids = try await books.map([.init(number: "HBR-1", tenders: [])])
            #expect(try await books.write(ids).isEmpty)
            _ = try await books.pool.withSession { session in
                try session.execute(
                    "UPDATE document SET task = 'void', reason = 'deleted', closed_at = NULL, fencing = fencing + 1")
            }
            _ = try await books.control(
                .post, "faults",
                #"{"match":{"method":"POST","path":"/api.xro/2.0/Invoices"},"count":1,"action":"#
                    + #"{"status":400,"body":{"Message":"It may not be void."},"#
                    + #""headers":{"Xero-Correlation-Id":"corr-void"}}}"#)
            _ = try await books.write(ids)
            let change = try #require(try await calls(books, "changes").last)
            #expect(change.outcome == "refused: It may not be void. (status 400)" && change.correlation == "corr-void")
            #expect(try await moves(books)["written written"] == "corr-void")
        }
    }
}
