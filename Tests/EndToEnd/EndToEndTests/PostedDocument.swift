import Foundation
import JSON

@testable import FleetHarness

/// A document, in words that preview and ledger share.
struct PostedDocument: Equatable {
    var number = ""
    /// `invoice` or `credit note`.
    var kind = ""
    /// The number of the customer, or of the venue's own contact.
    var contact = ""
    var date = ""
    var total = ""
    var tax = ""
    var due = ""
    /// `<account> <tax type> <amount> <tax>`, as they come.
    var lines: [String] = []
    /// `<account> <amount> <date>`, sorted.
    var payments: [String] = []

    init(previewed json: JSON) {
        number = json["number"]?.string ?? ""
        kind = json["kind"]?.string == "ACCREC" ? "invoice" : "credit note"
        contact = json["contact_number"]?.string ?? ""
        date = json["date"]?.string ?? ""
        (total, tax, due) = (Self.amount(json["total"]), Self.amount(json["tax"]), Self.amount(json["due"]))
        lines = (json["lines"]?.elements ?? []).map { line in
            "\(line["account"]?.string ?? "") \(line["tax_type"]?.string ?? "") \(Self.amount(line["amount"])) "
                + Self.amount(line["tax"])
        }
        payments = (json["payments"]?.elements ?? []).map { payment in
            "\(payment["account"]?.string ?? "") \(Self.amount(payment["amount"])) \(payment["date"]?.string ?? "")"
        }.sorted()
    }

    init(posted json: JSON, _ word: String, payments all: [JSON]) {
        number = json[key: "\(word)Number"]?.string ?? ""
        kind = word == "Invoice" ? "invoice" : "credit note"
        contact = json["ContactNumber"]?.string ?? ""
        date = json["Date"]?.string ?? ""
        (total, tax) = (Self.amount(json["Total"]), Self.amount(json["TotalTax"]))
        due = Self.amount(json["AmountDue"])
        lines = (json["lines"]?.elements ?? []).map { line in
            "\(line["AccountCode"]?.string ?? "") \(line["TaxType"]?.string ?? "") \(Self.amount(line["LineAmount"])) "
                + Self.amount(line["TaxAmount"])
        }
        payments = all.filter { $0[key: "\(word)Number"]?.string == number && $0["Status"]?.string != "DELETED" }.map {
            "\($0["AccountCode"]?.string ?? "") \(Self.amount($0["Amount"])) \($0["Date"]?.string ?? "")"
        }.sorted()
    }

    /// With two decimals: `7.5` and `7.50` are one amount.
    private static func amount(_ json: JSON?) -> String {
        guard let text = json?.numberText else { return "" }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return text + ".00" }
        return "\(parts[0]).\(parts[1])" + String(repeating: "0", count: max(0, 2 - parts[1].utf8.count))
    }
}

extension SimulatorClient {
    /// An order comes into the till, at a time of its day in Sydney.
    func sell(
        _ order: TillOrder, at time: String, register: Int = 9091, site: Int = 923, isOpen: Bool = false
    ) async throws {
        var body = order.json.replacing("T12:00:00+11:00", with: "T\(time)+11:00")
            .replacing("T12:00:05+11:00", with: "T\(time)+11:00")
            .replacing("\"register_id\":9091", with: "\"register_id\":\(register)")
            .replacing("\"site_id\":923", with: "\"site_id\":\(site)")
        if isOpen { body = body.replacing(#""COMPLETE""#, with: #""PENDING""#) }
        try await post("/_control/orders", body)
    }

    /// A register's cash is counted on the day of these tests.
    func count(
        _ id: Int, register: Int, at time: String, recorded: String, counted: String
    ) async throws {
        try await post(
            "/_control/reconciliations",
            """
            {"id":\(id),"processed":false,"reconciliation_level":"register","site":{"id":923},\
            "register":{"id":\(register)},"created_at":"2025-11-20T\(time)+11:00","reconciliations":[\
            {"payment_method":{"id":4,"name":"Cash"},"takings":{"recorded":\(recorded),"counted":\(counted)}}]}
            """)
    }
}

extension RunningFleet {
    /// A till without sales of its own, whose orders and counts are a test's; the pier's days end at their cut-off.
    ///
    /// - Parameters:
    ///   - posting: of Harbour Bistro, in braces.
    ///   - rules: of its organisation, a line each.
    static func withTradingDays(
        _ name: String, posting: String, rules: [String] = [], environment: [String: String] = [:],
        _ work: (RunningFleet) async throws -> Void
    ) async throws {
        let file = try configuration { text in
            let ruled = rules.isEmpty ? "" : "    rules:\n" + rules.map { "      - \($0)\n" }.joined()
            return text.bookingVariance
                .replacing("    # What Xero allows", with: ruled + "    # What Xero allows")
                .replacing("start_from: 2015-01-01", with: "start_from: 2025-11-15")
                .replacing("      mode: per_order\n      cut_off: \"04:00\"\n", with: "      mode: daily_summary\n")
                .replacing("        tracking: Harbour Bistro\n", with: """
                            tracking: Harbour Bistro
                            posting: {\(posting)}

                    """)
        }
        defer { try? FileManager.default.removeItem(at: file) }
        let often = [
            "TILLBRIDGE_MAPPING_CLOSE_DELAY": "1s", "TILLBRIDGE_POLLING_CORRECTIONS_INTERVAL": "500ms",
            "TILLBRIDGE_POLLING_RESCAN_INTERVAL": "1s", "TILLBRIDGE_POLLING_RESCAN_WINDOW": "3650d",
        ]
        try await with(
            name, configuration: file.path, tillArguments: ["--hold-takings"],
            environment: often.merging(environment) { $1 }, work)
    }

    func posted(_ number: String) async throws -> PostedDocument {
        let ledger = try await fleet.xero.get("/_control/ledger")
        for books in ledger["organisations"]?.elements ?? [] {
            for (list, word) in [("invoices", "Invoice"), ("creditNotes", "CreditNote")] {
                let found = books[key: list]?.elements.first { $0[key: "\(word)Number"]?.string == number }
                if let found {
                    return PostedDocument(posted: found, word, payments: books["payments"]?.elements ?? [])
                }
            }
        }
        throw HarnessError("the ledger has no \(number)")
    }

    /// Every file on an invoice.
    func attachments() async throws -> [(number: String, name: String, text: String)] {
        let ledger = try await fleet.xero.get("/_control/ledger")
        return (ledger["organisations"]?.elements ?? []).flatMap { $0["invoices"]?.elements ?? [] }.flatMap { invoice in
            (invoice["attachments"]?.elements ?? []).map { file in
                (
                    invoice["InvoiceNumber"]?.string ?? "", file["FileName"]?.string ?? "",
                    file["Text"]?.string ?? ""
                )
            }
        }
    }
}
