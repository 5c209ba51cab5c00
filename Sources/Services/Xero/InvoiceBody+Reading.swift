package import Domain
import JSON
import Money

extension InvoiceBody {
    /// The document that ``element(_:)`` wrote, as far as Xero is told of it: the tax inside a line and the rule that
    /// decided it are not there. Payments are kept apart.
    ///
    /// - Throws: ``UnreadableBody`` where the bytes are not of our own writing.
    package static func document(from bytes: [UInt8], contact: String) throws(UnreadableBody) -> LedgerDocument {
        guard let json = try? JSON(parsing: bytes) else { throw UnreadableBody(field: "the whole") }
        func text(_ field: StaticString) throws(UnreadableBody) -> String {
            guard let text = json[field]?.string else { throw UnreadableBody(field: "\(field)") }
            return text
        }
        func day(_ field: StaticString) throws(UnreadableBody) -> CalendarDate {
            guard let day = CalendarDate(try text(field)) else { throw UnreadableBody(field: "\(field)") }
            return day
        }
        guard let kind = LedgerDocument.Kind(rawValue: try text("Type")) else { throw UnreadableBody(field: "Type") }
        let isInvoice = kind == .invoice
        var lines: [LedgerLine] = []
        for element in json["LineItems"]?.elements ?? [] { lines.append(try line(element)) }
        var document = LedgerDocument(
            number: DocumentNumber(try text(isInvoice ? "InvoiceNumber" : "CreditNoteNumber")),
            reference: try text("Reference"), date: try day("Date"),
            dueDate: try day(isInvoice ? "DueDate" : "Date"), currency: try text("CurrencyCode"),
            contactNumber: contact, lines: lines, payments: [])
        document.kind = kind
        document.brandingTheme = json["BrandingThemeID"]?.string
        document.url = json["Url"]?.string
        return document
    }

    private static func line(_ json: JSON) throws(UnreadableBody) -> LedgerLine {
        func decimal(_ field: StaticString) throws(UnreadableBody) -> ExactDecimal {
            guard let decimal = json[field]?.numberText.flatMap({ ExactDecimal($0) }) else {
                throw UnreadableBody(field: "\(field)")
            }
            return decimal
        }
        guard let amount = Money(exactly: try decimal("LineAmount")), let account = json["AccountCode"]?.string,
            let taxType = json["TaxType"]?.string, let description = json["Description"]?.string
        else { throw UnreadableBody(field: "LineItems") }
        let tracking = (json["Tracking"]?.elements ?? []).compactMap { choice -> Tracking? in
            guard let name = choice["Name"]?.string, let option = choice["Option"]?.string else { return nil }
            return Tracking(category: name, option: option)
        }
        var line = LedgerLine(
            description: description, quantity: try decimal("Quantity"), unitAmount: try decimal("UnitAmount"),
            amount: amount, account: account, taxType: taxType, tracking: tracking)
        line.itemCode = json["ItemCode"]?.string
        return line
    }
}

package struct UnreadableBody: Error, Equatable, CustomStringConvertible {
    package let field: String
    package var description: String { "the stored body's `\(field)` is missing or cannot be read" }
}
