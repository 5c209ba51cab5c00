package import Domain
package import JSON
import Money

/// A document as an operator sees it before it is posted: what would stand in Xero, and which rule decided each line.
package struct DocumentView {
    private let document: LedgerDocument
    private let contactName: String

    package init(_ document: LedgerDocument, contactName: String) {
        self.document = document
        self.contactName = document.contactName ?? contactName
    }

    package func lines() -> [String] {
        let kind = document.kind == .invoice ? "invoice" : "credit note"
        var lines = [
            "\(kind) \(document.number)  \(document.date)  due \(document.dueDate)  \(document.currency)",
            "contact \(contactName) (\(document.contactNumber))  reference \(document.reference)", "",
        ]
        var goods = Columns(
            ["description", "quantity", "unit", "amount", "tax", "account", "tax type", "tracking", "item", "rule"],
            rightAligned: [1, 2, 3, 4])
        for line in document.lines {
            goods.add([
                line.description, "\(line.quantity)", "\(line.unitAmount)", "\(line.amount)", "\(line.tax)",
                line.account, line.taxType, line.tracking.map { "\($0.category)=\($0.option)" }.joined(separator: " "),
                line.itemCode ?? "", line.rule,
            ])
        }
        lines += goods.lines()
        lines += ["", "total \(document.total), tax \(document.tax) included", ""]
        if !document.payments.isEmpty {
            var payments = Columns(["payment", "amount", "date", "account"], rightAligned: [1])
            for payment in document.payments {
                payments.add([payment.reference, "\(payment.amount)", "\(payment.date)", payment.account])
            }
            lines += payments.lines()
        }
        for allocation in document.allocations {
            lines.append("allocated \(allocation.amount) to \(allocation.invoice) on \(allocation.date)")
        }
        if !document.due.isZero { lines.append("left open: \(document.due)") }
        lines += document.reasons.map { "because: \($0)" }
        lines += document.warnings.map { "warning: \($0)" }
        return lines
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("kind", document.kind.rawValue)
            writer.field("number", document.number.text)
            writer.field("reference", document.reference)
            writer.field("date", "\(document.date)")
            writer.field("due_date", "\(document.dueDate)")
            writer.field("currency", document.currency)
            writer.field("contact_number", document.contactNumber)
            writer.field("contact_name", contactName)
            if let theme = document.brandingTheme { writer.field("branding_theme", theme) }
            if let url = document.url { writer.field("url", url) }
            writer.field("total", number: "\(document.total)")
            writer.field("tax", number: "\(document.tax)")
            writer.field("due", number: "\(document.due)")
            writer.key("lines")
            writer.array { writer in
                for line in document.lines { Self.write(line, to: &writer) }
            }
            writer.key("payments")
            writer.array { writer in
                for payment in document.payments { Self.write(payment, to: &writer) }
            }
            write("reasons", document.reasons, to: &writer)
            write("warnings", document.warnings, to: &writer)
        }
    }

    private func write(_ key: StaticString, _ texts: [String], to writer: inout JSONWriter) {
        writer.key(key)
        writer.array { writer in
            for text in texts { writer.string(text) }
        }
    }

    private static func write(_ line: LedgerLine, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("description", line.description)
            writer.field("quantity", number: "\(line.quantity)")
            writer.field("unit_amount", number: "\(line.unitAmount)")
            writer.field("amount", number: "\(line.amount)")
            writer.field("tax", number: "\(line.tax)")
            writer.field("account", line.account)
            writer.field("tax_type", line.taxType)
            if let code = line.itemCode { writer.field("item_code", code) }
            writer.key("tracking")
            writer.object { writer in
                for tracking in line.tracking {
                    writer.key(dynamic: tracking.category)
                    writer.string(tracking.option)
                }
            }
            writer.field("rule", line.rule)
        }
    }

    private static func write(_ payment: LedgerPayment, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("method", payment.method)
            writer.field("reference", payment.reference)
            writer.field("amount", number: "\(payment.amount)")
            writer.field("date", "\(payment.date)")
            writer.field("account", payment.account)
        }
    }
}
