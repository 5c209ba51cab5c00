internal import JSON

/// The ledger as the control API shows it: what a test or a benchmark compares with its own books.
extension Books {
    func ledger(summary: Bool) -> [UInt8] {
        var writer = JSONWriter(capacity: summary ? 1024 : 4096 + invoices.documents.count * 400)
        writer.object { writer in
            writer.field("tenantId", settings.tenantID)
            writer.field("name", settings.name)
            if summary { writeSummary(to: &writer) } else { writeAll(to: &writer) }
        }
        return writer.bytes
    }

    private func writeAll(to writer: inout JSONWriter) {
        writer.key("invoices")
        writer.array { writer in for document in invoices.documents { writeLedger(document, to: &writer) } }
        writer.key("creditNotes")
        writer.array { writer in for document in creditNotes.documents { writeLedger(document, to: &writer) } }
        writer.key("payments")
        writer.array { writer in
            for payment in payments {
                let document = self.document(payment.kind, payment.document)
                writer.object { writer in
                    writer.field("PaymentID", payment.id.text)
                    writer.field(payment.kind == .invoice ? "InvoiceNumber" : "CreditNoteNumber", document.number)
                    writer.field("AccountCode", accounts[payment.account].code)
                    writer.field("Amount", number: payment.amount.cents)
                    writer.field("Status", payment.isDeleted ? "DELETED" : "AUTHORISED")
                    writer.field("Date", payment.date.text)
                    writer.field("Reference", payment.reference)
                }
            }
        }
        writer.key("allocations")
        writer.array { writer in
            for allocation in allocations {
                writer.object { writer in
                    writer.field("CreditNoteNumber", creditNotes.documents[allocation.creditNote].number)
                    writer.field("InvoiceNumber", invoices.documents[allocation.invoice].number)
                    writer.field("Amount", number: allocation.amount.cents)
                    writer.field("IsDeleted", allocation.isDeleted)
                }
            }
        }
        writer.key("contacts")
        writer.array { writer in
            for contact in contacts {
                writer.object { writer in
                    writer.field("ContactID", contact.id.text)
                    writer.field("ContactNumber", contact.number)
                    writer.field("Name", contact.name)
                    writer.field("EmailAddress", contact.email)
                    writer.field("ContactStatus", contact.isArchived ? "ARCHIVED" : "ACTIVE")
                }
            }
        }
    }

    private func writeLedger(_ document: Document, to writer: inout JSONWriter) {
        writer.object { writer in
            let isInvoice = document.kind == .invoice
            writer.field(isInvoice ? "InvoiceID" : "CreditNoteID", document.id.text)
            writer.field(isInvoice ? "InvoiceNumber" : "CreditNoteNumber", document.number)
            writer.field("Reference", document.reference)
            writer.field("Status", document.status.rawValue)
            writer.field("Date", document.date.text)
            writer.field("SubTotal", number: document.subTotal.cents)
            writer.field("TotalTax", number: document.totalTax.cents)
            writer.field("Total", number: document.total.cents)
            writer.field("AmountPaid", number: document.paid.cents)
            writer.field("AmountCredited", number: document.credited.cents)
            writer.field("AmountDue", number: document.due.cents)
            writer.field("ContactID", contacts[document.contact].id.text)
            writer.field("ContactNumber", contacts[document.contact].number)
            writer.key("tracking")
            writer.array { writer in
                var seen: Set<TrackingChoice> = []
                for choice in document.lines.flatMap(\.tracking) where seen.insert(choice).inserted {
                    writer.string(tracking[choice.category].options[choice.option].name)
                }
            }
            if !document.attachments.isEmpty {
                writer.key("attachments")
                writer.array { writer in
                    for file in document.attachments {
                        writer.object { writer in
                            writer.field("FileName", file.name)
                            writer.field("Text", String(decoding: file.body, as: UTF8.self))
                        }
                    }
                }
            }
            writer.key("lines")
            writer.array { writer in
                for line in document.lines {
                    writer.object { writer in
                        writer.field("AccountCode", line.account.map { accounts[$0].code } ?? "")
                        writer.field("TaxType", line.tax.map { taxRates[$0].type } ?? "")
                        writer.field("LineAmount", number: line.lineAmount.cents)
                        writer.field("TaxAmount", number: line.taxAmount.cents)
                    }
                }
            }
        }
    }

    /// Counts and totals. Documents that are voided or deleted count by status and not in the totals.
    private func writeSummary(to writer: inout JSONWriter) {
        for (name, shelf) in [("invoices" as StaticString, invoices), ("creditNotes", creditNotes)] {
            let sums = Sums(shelf.documents)
            writer.key(name)
            writer.object { writer in
                writer.field("count", shelf.documents.count)
                writer.key("statuses")
                writer.object { writer in
                    for (status, count) in sums.statuses.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                        writer.key(dynamic: status.rawValue)
                        writer.number(count)
                    }
                }
                writer.field("Total", number: (Fixed(wide: sums.total) ?? .zero).cents)
                writer.field("TotalTax", number: (Fixed(wide: sums.tax) ?? .zero).cents)
                writer.field("AmountPaid", number: (Fixed(wide: sums.paid) ?? .zero).cents)
                writer.field("AmountDue", number: (Fixed(wide: sums.due) ?? .zero).cents)
            }
        }
        let valid = payments.lazy.filter { !$0.isDeleted }
        writer.key("payments")
        writer.object { writer in
            writer.field("count", payments.count)
            writer.field("deleted", payments.count - valid.count)
            writer.field("Amount", number: Self.total(valid.map(\.amount)))
        }
        writer.field("contacts", contacts.count)
    }

    private static func total(_ amounts: some Sequence<Fixed>) -> String { (Fixed.sum(amounts) ?? .zero).cents }
}

/// What a shelf of documents comes to, in ten-thousandths. Read in place: a benchmark asks for it while it runs, and a
/// copy of each document would cost more than the sums.
private struct Sums {
    var statuses: [DocumentStatus: Int] = [:]
    var total: Int128 = 0
    var tax: Int128 = 0
    var paid: Int128 = 0
    var due: Int128 = 0

    init(_ documents: [Document]) {
        for index in documents.indices {
            let status = documents[index].status
            statuses[status, default: 0] += 1
            guard status != .voided, status != .deleted else { continue }
            total += Int128(documents[index].total.units)
            tax += Int128(documents[index].totalTax.units)
            paid += Int128(documents[index].paid.units)
            due -= Int128(documents[index].credited.units)
        }
        due += total - paid
    }
}
