package import Domain
import JSON

/// The calls by which what stands in the ledger is changed: each with its path and body, so that they can be held
/// against Xero's own description.
extension LedgerChange {
    /// Takes one payment away; Xero keeps it as deleted.
    package static func removePayment(_ id: String) -> LedgerChange {
        LedgerChange(method: .post, path: "/Payments/\(id)", body: body { $0.field("Status", "DELETED") })
    }

    /// Takes a credit note's part off the invoice that it settles.
    package static func removeAllocation(_ id: String, of creditNote: String) -> LedgerChange {
        LedgerChange(method: .delete, path: "/CreditNotes/\(creditNote)/Allocations/\(id)", body: nil)
    }

    /// Makes a document void: it keeps its number for ever.
    package static func void(_ kind: LedgerDocument.Kind, _ id: String) -> LedgerChange {
        let element = body { writer in
            writer.key(kind.idField)
            writer.string(id)
            writer.field("Status", "VOIDED")
        }
        return LedgerChange(
            method: .post, path: "/\(kind.endpoint)/\(id)", body: InvoiceBody.batch(kind.endpoint, of: [element]))
    }

    /// - Parameter element: all that the document is to be.
    package static func update(_ kind: LedgerDocument.Kind, _ id: String, to element: [UInt8]) -> LedgerChange {
        LedgerChange(
            method: .post, path: "/\(kind.endpoint)/\(id)?unitdp=4",
            body: InvoiceBody.batch(kind.endpoint, of: [element]))
    }

    /// Sets part of a credit note against an open invoice.
    ///
    /// - Parameters:
    ///   - amount: exact digits with two decimals.
    ///   - date: `2026-11-23`.
    package static func allocate(
        _ amount: String, of creditNote: String, to invoice: String, on date: String
    ) -> LedgerChange {
        let body = body { writer in
            writer.key("Allocations")
            writer.array { writer in
                writer.object { writer in
                    writer.key("Invoice")
                    writer.object { $0.field("InvoiceID", invoice) }
                    writer.field("Amount", number: amount)
                    writer.field("Date", date)
                }
            }
        }
        return LedgerChange(method: .put, path: "/CreditNotes/\(creditNote)/Allocations", body: body)
    }

    private static func body(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object(members)
        return writer.bytes
    }
}
