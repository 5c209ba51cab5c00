import AMQP
import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// Refunds, customers' accounts, edits and deletions, from the queue to the simulated ledger.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct PostingTests {
    private func with(
        _ name: String, configuration: String? = nil, _ work: (RunningFleet, Messages) async throws -> Void
    ) async throws {
        try await RunningFleet.with(name, configuration: configuration) { running in
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            try await work(running, Messages(run: running.fleet.run))
        }
    }

    @Test("a sale inside of a summary is given back once, at its own venue or at one that posts order by order")
    func refundOfSummarised() async throws {
        let file = try RunningFleet.configuration {
            $0.replacing(
                "        tracking: Harbour Bistro\n",
                with: "        tracking: Harbour Bistro\n        posting: {mode: daily_summary}\n")
        }
        defer { try? FileManager.default.removeItem(at: file) }
        try await with("refund-summed", configuration: file.path) { running, messages in
            func refund(_ id: String, of sale: String, at site: String) -> AMQPMessage {
                messages.order(id: id) {
                    Sale.refund(of: sale, $0).replacing(#""site_id":923"#, with: #""site_id":\#(site)"#)
                }
            }
            func entries() async throws -> Int {
                try await running.rows("SELECT 1 FROM \(running.fleet.schema).day_entry").count
            }
            try await running.publish([messages.order(id: "941"), messages.order(id: "942")])
            try await running.wait("the sales' day") { try await entries() == 2 }
            try await running.publish([refund("943", of: "941", at: "985"), refund("944", of: "942", at: "923")])
            try await running.wait("the refunds") {
                let notes = try await running.ledger().creditNotes.map(\.number)
                let count = try await entries()
                return notes.contains("PIER-943") && count == 3
            }
            try await running.publish([
                refund("945", of: "941", at: "985"), refund("946", of: "941", at: "923"),
                refund("947", of: "942", at: "985"),
            ])
            try await running.wait("the letters") { try await running.watch.counts().dead == 3 }
            let letters = try await running.letters()
            for number in ["PIER-945", "HBR-946", "PIER-947"] {
                #expect(letters.contains { $0.contains(number) && $0.contains("only 0.00 is left") }, "\(letters)")
            }
        }
    }

    @Test("a refund order is a credit note, paid back through the tender's account; one beyond its sale is parked")
    func refund() async throws {
        try await with("refund") { running, messages in
            try await running.publish([messages.order(id: "901"), messages.order(id: "904")])
            try await running.wait("the sales") { try await running.watch.counts().settled == 2 }
            try await running.publish([
                messages.order(id: "902") { Sale.refund(of: "901", $0) },
                // Another one of a sale that is given back already, and one whose amounts are negative throughout.
                messages.order(id: "905") { Sale.refund(of: "904", Sale.negative($0)) },
            ])
            try await running.wait("the credit notes") { try await running.watch.counts().settled == 4 }
            try await running.publish([
                messages.order(id: "903") { Sale.refund(of: "901", $0) },
                // Brought back to the company's other venue.
                messages.order(id: "906") {
                    Sale.refund(of: "904", $0).replacing(#""site_id":923"#, with: #""site_id":985"#)
                },
            ])
            try await running.wait("the letters") { try await running.watch.counts().dead == 2 }

            let ledger = try await running.ledger()
            #expect(ledger.invoices.map(\.number).sorted() == ["HBR-901", "HBR-904"])
            #expect(ledger.creditNotes.map(\.number).sorted() == ["HBR-902", "HBR-905"])
            #expect((ledger.invoices + ledger.creditNotes).allSatisfy { $0.total == "12.30" && $0.due == "0.00" })
            let back = ledger.payments.filter { $0.creditNote != nil }
            #expect(back.count == 2 && back.allSatisfy { $0.amount == "12.30" && $0.account == "232" })
            let letters = try await running.letters()
            for number in ["HBR-903", "PIER-906"] {
                #expect(letters.contains { $0.contains(number) && $0.contains("only 0.00 is left") }, "\(letters)")
            }
        }
    }

    @Test("money paid back by a negative payment is a credit note of its day beside the invoice")
    func negativePayment() async throws {
        try await with("negative") { running, messages in
            try await running.publish([messages.order(id: "911") { Sale.paidBack("2.30", $0) }])
            try await running.wait("both documents") { try await running.watch.counts().settled == 2 }
            let ledger = try await running.ledger()
            #expect(ledger.invoices.map(\.total) == ["12.30"])
            #expect(ledger.creditNotes.map(\.number) == ["HBR-911-c1"])
            #expect(ledger.creditNotes.map(\.total) == ["2.30"])
            #expect(ledger.payments.map(\.amount).sorted() == ["12.30", "2.30"])
        }
    }

    @Test("an order that changed after it was posted: its payments go, it is void, and stands again as it is now")
    func edited() async throws {
        try await with("edited") { running, messages in
            try await running.publish([messages.order(id: "801")])
            try await running.wait("the invoice") { try await running.watch.counts().settled == 1 }
            try await running.publish([messages.order(id: "801", Sale.dearer)])
            try await running.wait("both revisions") { try await running.watch.counts().settled == 2 }
            let ledger = try await running.ledger()
            #expect(ledger.invoices.map { "\($0.number) \($0.status) \($0.total)" }.sorted() == [
                "HBR-801 VOIDED 12.30", "HBR-801-r1 PAID 13.20",
            ])
            #expect(ledger.payments.filter { !$0.isDeleted }.map(\.amount) == ["13.20"])
            let rows = try await running.rows(
                "SELECT state, reason FROM \(running.fleet.schema).document ORDER BY id")
            #expect(try rows.map { try $0.text("state") } == ["voided", "written"])
            #expect(try rows.allSatisfy { try !($0.textOrNil("reason") ?? "").isEmpty })
            #expect(try await running.letters().isEmpty)
        }
    }

    @Test("an order deleted after it was posted: its payments are taken away and its invoice is void")
    func deleted() async throws {
        try await with("deleted") { running, messages in
            try await running.publish([messages.order(id: "811")])
            try await running.wait("the invoice") { try await running.watch.counts().settled == 1 }
            try await running.publish([messages.order(id: "811", Sale.deleted)])
            try await running.wait("the void") { try await running.ledger().invoices.first?.status == "VOIDED" }
            #expect(try await running.ledger().payments.allSatisfy { $0.isDeleted })
        }
    }

    @Test("a sale on account is its customer's own invoice, left unpaid; what is paid later is applied to it")
    func onAccount() async throws {
        try await with("account") { running, messages in
            try await running.publish([messages.order(id: "821", Sale.onAccount)])
            try await running.wait("the invoice") { try await running.watch.counts().settled == 1 }
            let before = try await running.ledger()
            #expect(before.invoices.map { "\($0.number) \($0.due) \($0.contact)" } == ["HBR-821 12.30 5501"])
            let contact = before.contacts.first { $0.number == "5501" }
            #expect(contact?.name == "Ada Byron" && contact?.email == "ada@example.com")
            try await running.publish([messages.order(id: "821", Sale.paidLater)])
            try await running.wait("the payment") { try await running.ledger().invoices.first?.due == "0.00" }
            let after = try await running.ledger()
            #expect(after.invoices.map { "\($0.number) \($0.contact)" } == ["HBR-821 5501"])
            #expect(after.payments.map(\.amount) == ["12.30"])
        }
    }
}

/// The one product of 12.30, differently.
enum Sale {
    static func refund(of original: String, _ body: String) -> String {
        body.replacing(
            #""status":"COMPLETE""#,
            with: #""status":"COMPLETE","is_refund":true,"refunded_order_id":\#(original)"#)
    }

    static func negative(_ body: String) -> String {
        body.replacing(#""total":12.30"#, with: #""total":-12.30"#).replacing("11.18,", with: "-11.18,")
            .replacing(#""line_total_tax":1.12"#, with: #""line_total_tax":-1.12"#)
            .replacing(#""total_tax":1.12"#, with: #""total_tax":-1.12"#)
            .replacing(#""paid":12.30"#, with: #""paid":-12.30"#)
            .replacing(#""quantity":1"#, with: #""quantity":-1"#)
            .replacing(#""amount":12.30"#, with: #""amount":-12.30"#)
    }

    static func dearer(_ body: String) -> String {
        body.replacing("12.30", with: "13.20").replacing("11.18", with: "12.00").replacing("1.12", with: "1.20")
    }

    static func deleted(_ body: String) -> String {
        body.replacing(#""status":"COMPLETE""#, with: #""status":"COMPLETE","deleted":true"#)
    }

    private static let ada = #"""
        "customer":{"id":5501,"first_name":"Ada","last_name":"Byron","email":"ada@example.com"},"order_payment_type":\#
        "Account"
        """#

    static func paidLater(_ body: String) -> String {
        body.replacing(#""status":"COMPLETE""#, with: #""status":"COMPLETE","# + ada)
    }

    static func onAccount(_ body: String) -> String {
        let whole = paidLater(body).replacing(#""paid":12.30"#, with: #""paid":0.00"#)
        guard let payments = whole.range(of: #""payments":["#) else { return whole }
        return whole[..<payments.lowerBound] + #""payments":[]}"#
    }

    static func paidBack(_ amount: String, _ body: String) -> String {
        body.replacing(
            #"11:00"}]}"#, with: """
                11:00"},{"id":2,"method":{"id":2,"name":"Card"},"amount":-\(amount),\
                "created_at":"2026-11-20T12:00:05+11:00"}]}
                """)
    }
}

struct LedgerView {
    struct Document {
        let number: String
        let status: String
        let total: String
        let paid: String
        let credited: String
        let due: String
        let contact: String
    }

    struct Payment {
        let creditNote: String?
        let account: String
        let amount: String
        let isDeleted: Bool
    }

    var invoices: [Document] = []
    var creditNotes: [Document] = []
    var payments: [Payment] = []
    /// `credit note, invoice, amount`, those that stand, sorted.
    var allocations: [String] = []
    /// Of each document by its number.
    var dates: [String: String] = [:]
    var references: [String: String] = [:]
    var ids: [String: String] = [:]
    /// Number, name and e-mail.
    var contacts: [(number: String, name: String, email: String)] = []
}

extension RunningFleet {
    func ledger() async throws -> LedgerView {
        var view = LedgerView()
        let ledger = try await fleet.xero.get("/_control/ledger")
        for books in ledger["organisations"]?.elements ?? [] {
            view.invoices += (books["invoices"]?.elements ?? []).map { LedgerView.Document($0, "InvoiceNumber") }
            view.creditNotes += (books["creditNotes"]?.elements ?? []).map {
                LedgerView.Document($0, "CreditNoteNumber")
            }
            view.allocations += (books["allocations"]?.elements ?? []).filter { $0["IsDeleted"]?.bool != true }.map {
                "\($0["CreditNoteNumber"]?.string ?? "") \($0["InvoiceNumber"]?.string ?? "") "
                    + ($0["Amount"]?.numberText ?? "")
            }
            for (list, kind) in [("invoices", "Invoice"), ("creditNotes", "CreditNote")] {
                for json in books[key: list]?.elements ?? [] {
                    let number = json[key: "\(kind)Number"]?.string ?? ""
                    view.dates[number] = json["Date"]?.string
                    view.references[number] = json["Reference"]?.string
                    view.ids[number] = json[key: "\(kind)ID"]?.string
                }
            }
            view.payments += (books["payments"]?.elements ?? []).map { json in
                LedgerView.Payment(
                    creditNote: json["CreditNoteNumber"]?.string, account: json["AccountCode"]?.string ?? "",
                    amount: json["Amount"]?.numberText ?? "", isDeleted: json["Status"]?.string == "DELETED")
            }
            view.contacts += (books["contacts"]?.elements ?? []).map { json in
                (
                    json["ContactNumber"]?.string ?? "", json["Name"]?.string ?? "",
                    json["EmailAddress"]?.string ?? ""
                )
            }
        }
        view.allocations.sort()
        return view
    }

    func letters() async throws -> [String] {
        try await rows("SELECT cause FROM \(fleet.schema).dead_letter ORDER BY id").map { try $0.text("cause") }
    }
}

extension LedgerView.Document {
    fileprivate init(_ json: JSON, _ number: String) {
        self.number = json[key: number]?.string ?? ""
        status = json["Status"]?.string ?? ""
        total = json["Total"]?.numberText ?? ""
        paid = json["AmountPaid"]?.numberText ?? ""
        credited = json["AmountCredited"]?.numberText ?? ""
        due = json["AmountDue"]?.numberText ?? ""
        contact = json["ContactNumber"]?.string ?? ""
    }
}
