internal import JSON

/// How much of a document is written.
enum Detail {
    /// Unpaged lists: no lines.
    case summary
    /// Paged lists and single documents, with payments and credit notes.
    case full
    /// The answer to a create or an update.
    case saved
}

/// Writing the ledger's records in the vendor's shapes.
extension Books {
    /// With `errors` the document is shown as a refused change left it: as it was, under the status that was asked.
    func write(
        _ kind: DocumentKind, _ index: Int, _ detail: Detail, status: String? = nil, errors: [String]? = nil,
        wanted: String? = nil, to writer: inout JSONWriter
    ) {
        let document = self.document(kind, index)
        writer.object { writer in
            if kind == .invoice {
                writer.field("Type", "ACCREC")
                writer.field("InvoiceID", document.id.text)
                writer.field("InvoiceNumber", document.number)
            } else {
                writer.field("Type", "ACCRECCREDIT")
                writer.field("CreditNoteID", document.id.text)
                writer.field("CreditNoteNumber", document.number)
            }
            writer.field("Reference", document.reference)
            if !document.url.isEmpty { writer.field("Url", document.url) }
            if detail != .saved || !document.payments.isEmpty { writeMoney(document, to: &writer) }
            writer.key("Prepayments")
            writer.raw("[]".utf8)
            writer.key("Overpayments")
            writer.raw("[]".utf8)
            if kind == .invoice {
                writer.field("AmountDue", number: document.due.text)
                writer.field("AmountPaid", number: document.paid.text)
                writer.field("AmountCredited", number: document.credited.text)
                writer.field("SentToContact", document.sentToContact)
            } else {
                writer.field("RemainingCredit", number: document.due.text)
            }
            writer.field("CurrencyRate", number: "1.0")
            writer.field("IsDiscounted", document.lines.contains { $0.discountRate != nil || $0.discountAmount != nil })
            writer.field("HasAttachments", !document.attachments.isEmpty)
            writer.field("HasErrors", errors != nil)
            if errors != nil {
                writer.key("InvoiceAddresses")
                writer.raw("[]".utf8)
            }
            writer.key("InvoicePaymentServices")
            writer.raw("[]".utf8)
            writer.field("UpdatedDateUTCString", Moment.text(document.updated) + "Z")
            writer.key("Contact")
            if detail == .summary {
                writeShort(contacts[document.contact], to: &writer)
            } else {
                writer.raw(contacts[document.contact].embedded)
            }
            writeBody(document, detail, status: wanted ?? document.status.rawValue, to: &writer)
            if let errors { writeErrors(errors, to: &writer) }
            if let status { writer.field("StatusAttributeString", status) }
        }
    }

    func writeErrors(_ messages: [String], to writer: inout JSONWriter) {
        writer.key("ValidationErrors")
        writer.array { writer in
            for message in messages { writer.object { $0.field("Message", message) } }
        }
    }

    private func writeBody(_ document: Document, _ detail: Detail, status: String, to writer: inout JSONWriter) {
        writeDates(document, to: &writer)
        writer.field("BrandingThemeID", "7889a0ac-262a-40e3-8a63-9a769b1a18af")
        writer.field("Status", status)
        writer.field("LineAmountTypes", document.amountTypes.rawValue)
        writer.key("LineItems")
        writer.array { writer in
            if detail != .summary { for line in document.lines { write(line, to: &writer) } }
        }
        writer.field("SubTotal", number: document.subTotal.text)
        writer.field("TotalTax", number: document.totalTax.text)
        writer.field("Total", number: document.total.text)
        writer.field("UpdatedDateUTC", Moment.wire(document.updated))
        writer.field("CurrencyCode", document.currency)
        if document.status == .paid, let last = document.payments.last(where: { !payments[$0].isDeleted }) {
            writer.field("FullyPaidOnDate", payments[last].date.wire)
        }
    }

    private func writeDates(_ document: Document, to writer: inout JSONWriter) {
        writer.field("DateString", document.date.text + "T00:00:00")
        writer.field("Date", document.date.wire)
        if let due = document.dueDate {
            writer.field("DueDateString", due.text + "T00:00:00")
            writer.field("DueDate", due.wire)
        }
    }

    /// The payments and credit notes (or allocations) that touch a document.
    private func writeMoney(_ document: Document, to writer: inout JSONWriter) {
        writer.key("Payments")
        writer.array { writer in
            for payment in document.payments.lazy.map({ payments[$0] }) where !payment.isDeleted {
                writer.object { writer in
                    writer.field("PaymentID", payment.id.text)
                    writer.field("Date", payment.date.wire)
                    writer.field("Amount", number: payment.amount.text)
                    writer.field("Reference", payment.reference)
                    writer.field("CurrencyRate", number: "1.0")
                    writer.field("HasAccount", false)
                    writer.field("HasValidationErrors", false)
                }
            }
        }
        writer.key(document.kind == .invoice ? "CreditNotes" : "Allocations")
        writer.array { writer in
            for allocation in document.allocations.lazy.map({ allocations[$0] }) where !allocation.isDeleted {
                if document.kind == .creditNote { write(allocation, to: &writer); continue }
                let note = creditNotes.documents[allocation.creditNote]
                writer.object { writer in
                    writer.field("CreditNoteID", note.id.text)
                    writer.field("CreditNoteNumber", note.number)
                    writer.field("ID", note.id.text)
                    writer.field("Date", allocation.date.wire)
                    writer.field("AppliedAmount", number: allocation.amount.text)
                    writer.field("Total", number: note.total.text)
                }
            }
        }
    }

    func write(_ allocation: Allocation, to writer: inout JSONWriter) {
        let invoice = invoices.documents[allocation.invoice]
        writer.object { writer in
            writer.field("AllocationID", allocation.id.text)
            writer.field("Amount", number: allocation.amount.text)
            writer.field("Date", allocation.date.wire)
            writer.key("Invoice")
            writer.object { writer in
                writer.field("InvoiceID", invoice.id.text)
                writer.field("InvoiceNumber", invoice.number)
            }
        }
    }

    private func write(_ line: Line, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("Description", line.description)
            if let unitAmount = line.unitAmount { writer.field("UnitAmount", number: unitAmount.text) }
            if let tax = line.tax { writer.field("TaxType", taxRates[tax].type) }
            writer.field("TaxAmount", number: line.taxAmount.text)
            writer.field("LineAmount", number: line.lineAmount.text)
            if !line.itemCode.isEmpty { writer.field("ItemCode", line.itemCode) }
            if let account = line.account { writer.field("AccountCode", accounts[account].code) }
            if let rate = line.discountRate { writer.field("DiscountRate", number: rate.text) }
            if let amount = line.discountAmount { writer.field("DiscountAmount", number: amount.text) }
            writer.key("Tracking")
            writer.array { writer in
                for choice in line.tracking { writer.raw(tracking[choice.category].options[choice.option].embedded) }
            }
            if let quantity = line.quantity { writer.field("Quantity", number: quantity.text) }
            writer.field("LineItemID", line.id.text)
            if let account = line.account { writer.field("AccountID", accounts[account].id.text) }
            writer.key("ValidationErrors")
            writer.raw("[]".utf8)
        }
    }

    func write(_ payment: Payment, status: String? = nil, to writer: inout JSONWriter) {
        let document = self.document(payment.kind, payment.document)
        let account = accounts[payment.account]
        writer.object { writer in
            writer.field("PaymentID", payment.id.text)
            writer.field("Date", payment.date.wire)
            writer.field("BankAmount", number: payment.amount.text)
            writer.field("Amount", number: payment.amount.text)
            writer.field("Reference", payment.reference)
            writer.field("CurrencyRate", number: "1.0")
            writer.field("PaymentType", payment.kind == .invoice ? "ACCRECPAYMENT" : "ARCREDITPAYMENT")
            writer.field("Status", payment.isDeleted ? "DELETED" : "AUTHORISED")
            writer.field("UpdatedDateUTC", Moment.wire(payment.updated))
            writer.field("HasAccount", true)
            writer.field("IsReconciled", payment.isReconciled)
            writer.key("Account")
            writer.object { writer in
                writer.field("AccountID", account.id.text)
                writer.field("Code", account.code)
                writer.field("Name", account.name)
            }
            writer.key(payment.kind == .invoice ? "Invoice" : "CreditNote")
            writer.object { writer in
                writer.field("Type", payment.kind == .invoice ? "ACCREC" : "ACCRECCREDIT")
                if payment.kind == .invoice {
                    writer.field("InvoiceID", document.id.text)
                    writer.field("InvoiceNumber", document.number)
                    writer.field("AmountDue", number: document.due.text)
                    writer.field("AmountPaid", number: document.paid.text)
                } else {
                    writer.field("CreditNoteID", document.id.text)
                    writer.field("CreditNoteNumber", document.number)
                    writer.field("RemainingCredit", number: document.due.text)
                }
                writer.field("Status", document.status.rawValue)
                writer.field("Total", number: document.total.text)
                writer.field("HasErrors", false)
                writer.field("CurrencyCode", document.currency)
                writer.key("Contact")
                writeShort(contacts[document.contact], to: &writer)
            }
            writer.field("HasValidationErrors", false)
            if let status { writer.field("StatusAttributeString", status) }
        }
    }
}
