package import Domain
import JSON

/// A document of an order as it was booked, and what was done with it afterwards and why.
package struct BookedDocument: Sendable {
    package let number: String
    package let kind: LedgerDocument.Kind
    /// What has become of it, in a few words.
    package let standing: String
    package let total: String
    package let date: String
    package let reason: String?
    package let refusal: String?
    package let payments: [String]

    package init(
        number: String, kind: LedgerDocument.Kind, standing: String, total: String, date: String, reason: String?,
        refusal: String?, payments: [String]
    ) {
        self.number = number
        self.kind = kind
        self.standing = standing
        self.total = total
        self.date = date
        self.reason = reason
        self.refusal = refusal
        self.payments = payments
    }

    package static func lines(_ documents: [BookedDocument]) -> [String] {
        guard !documents.isEmpty else { return ["nothing is booked for it"] }
        var lines = ["what is booked for it:"]
        for document in documents {
            let kind = document.kind == .invoice ? "invoice" : "credit note"
            lines.append(
                "  \(kind) \(document.number)  \(document.date)  \(document.total)  \(document.standing)")
            if let reason = document.reason { lines.append("    because: \(reason)") }
            if let refusal = document.refusal { lines.append("    Xero: \(refusal)") }
            lines += document.payments.map { "    \($0)" }
        }
        return lines
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("number", number)
            writer.field("kind", kind.rawValue)
            writer.field("standing", standing)
            writer.field("total", number: total)
            writer.field("date", date)
            if let reason { writer.field("reason", reason) }
            if let refusal { writer.field("refusal", refusal) }
            writer.key("payments")
            writer.array { writer in for payment in payments { writer.string(payment) } }
        }
    }
}

extension DocumentState {
    /// For a bookkeeper.
    package var words: String {
        switch self {
        case .ready, .claimed: "waits to be sent"
        case .sent, .uncertain: "is on its way"
        case .written: "stands in Xero"
        case .refused: "was refused"
        case .withdrawn: "was withdrawn before it was sent"
        case .voided: "was made void"
        }
    }
}
