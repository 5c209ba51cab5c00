package import Domain
import JSON
import Money

/// Writes the ledger's JSON. The mapper writes a document once, without its contact; the writer puts the contact's id
/// in front and sends exactly those bytes.
package enum InvoiceBody {
    /// One element of `{"Invoices":[…]}` or `{"CreditNotes":[…]}` without `Contact`.
    package static func element(_ invoice: Invoice) -> [UInt8] {
        var writer = JSONWriter(capacity: 256 + 220 * invoice.lines.count)
        writer.object { writer in
            writer.field("Type", invoice.kind.rawValue)
            let isInvoice = invoice.kind == .invoice
            writer.field(isInvoice ? "InvoiceNumber" : "CreditNoteNumber", invoice.number.text)
            writer.field("Reference", invoice.reference)
            writer.field("Date", invoice.date.description)
            // A credit note is not due on any day.
            if isInvoice { writer.field("DueDate", invoice.dueDate.description) }
            writer.field("CurrencyCode", invoice.currency)
            writer.field("LineAmountTypes", "Inclusive")
            writer.field("Status", "AUTHORISED")
            if let theme = invoice.brandingTheme { writer.field("BrandingThemeID", theme) }
            if isInvoice, let url = invoice.url { writer.field("Url", url) }
            writer.key("LineItems")
            writer.array { writer in
                for line in invoice.lines { append(line, to: &writer) }
            }
        }
        return writer.bytes
    }

    private static func append(_ line: InvoiceLine, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("Description", line.description)
            writer.field("Quantity", number: line.quantity.description)
            writer.field("UnitAmount", number: line.unitAmount.description)
            writer.field("LineAmount", number: line.amount.description)
            writer.field("AccountCode", line.account)
            writer.field("TaxType", line.taxType)
            if let code = line.itemCode { writer.field("ItemCode", code) }
            if !line.tracking.isEmpty {
                writer.key("Tracking")
                writer.array { writer in
                    for tracking in line.tracking {
                        writer.object { writer in
                            writer.field("Name", tracking.category)
                            writer.field("Option", tracking.option)
                        }
                    }
                }
            }
        }
    }

    /// The element with its contact: `{"Contact":{"ContactID":"…"},` and the rest as it was.
    package static func element(_ element: [UInt8], contact: String) -> [UInt8] {
        var writer = JSONWriter(capacity: element.count + 64)
        writer.object { writer in
            writer.key("Contact")
            // Only the id: any other field would be applied to the contact itself.
            writer.object { $0.field("ContactID", contact) }
        }
        var bytes = writer.bytes
        bytes[bytes.count - 1] = UInt8(ascii: ",")
        bytes.append(contentsOf: element.dropFirst())
        return bytes
    }

    /// The element of a document that stands, as `POST` takes a change: with Xero's names of its lines where there are
    /// as many as before, since a line without one is a new line, and a paid invoice takes no new lines; and without
    /// `Status`, which stays what it is.
    package static func change(
        _ element: [UInt8], contact: String, lineIDs: [String]
    ) throws -> [UInt8] {
        let json = try JSON(parsing: self.element(element, contact: contact))
        var writer = JSONWriter(capacity: element.count + 64 + 60 * lineIDs.count)
        writer.object { writer in
            for (key, value) in json.members where key != "Status" {
                writer.key(dynamic: key)
                guard key == "LineItems", value.elements.count == lineIDs.count else {
                    writer.raw(value.raw)
                    continue
                }
                writer.array { writer in
                    for (line, id) in zip(value.elements, lineIDs) { append(line, named: id, to: &writer) }
                }
            }
        }
        return writer.bytes
    }

    private static func append(_ line: JSON, named id: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("LineItemID", id)
            for (key, value) in line.members {
                writer.key(dynamic: key)
                writer.raw(value.raw)
            }
        }
    }

    /// `{"Invoices":[…]}` of elements that are JSON already.
    package static func batch(_ name: StaticString, of elements: [[UInt8]]) -> [UInt8] {
        var writer = JSONWriter(capacity: elements.reduce(32) { $0 + $1.count + 1 })
        writer.object { writer in
            writer.key(name)
            writer.array { writer in
                for element in elements { writer.raw(element) }
            }
        }
        return writer.bytes
    }
}

/// A payment as `PUT /Payments` takes it.
package struct PaymentBody: Sendable {
    /// Money back on a credit note; else money on an invoice.
    package var kind: LedgerDocument.Kind
    package var documentID: String
    package var account: String
    package var date: CalendarDate
    /// Exact digits with two decimals.
    package var amount: String
    package var reference: String

    package init(
        kind: LedgerDocument.Kind = .invoice, documentID: String, account: String, date: CalendarDate, amount: String,
        reference: String
    ) {
        self.kind = kind
        self.documentID = documentID
        self.account = account
        self.date = date
        self.amount = amount
        self.reference = reference
    }

    package var element: [UInt8] {
        var writer = JSONWriter(capacity: 200)
        writer.object { writer in
            let isInvoice = kind == .invoice
            writer.key(isInvoice ? "Invoice" : "CreditNote")
            writer.object { $0.field(isInvoice ? "InvoiceID" : "CreditNoteID", documentID) }
            writer.key("Account")
            writer.object { $0.field("Code", account) }
            writer.field("Date", date.description)
            writer.field("Amount", number: amount)
            writer.field("Reference", reference)
        }
        return writer.bytes
    }
}
