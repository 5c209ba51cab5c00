internal import JSON

/// Payments on invoices and refunds on credit notes, and credit notes set against invoices.
extension Books {
    mutating func savePayment(_ json: JSON, now: Int64) -> Saved {
        do throws(Refusal) {
            let (kind, index) = try target(json)
            let document = self.document(kind, index)
            guard document.status == .authorised || document.status == .paid else {
                throw Refusal("Payments can only be made against Authorised documents")
            }
            let account = try paymentAccount(json["Account"])
            guard let amount = try json.fixed("Amount")?.inCents, amount > .zero else {
                throw Refusal("Payment amount must be greater than zero")
            }
            guard amount <= document.due else {
                throw Refusal("Payment amount exceeds the amount outstanding on this document")
            }
            let date = try json.day("Date") ?? Day(millisecond: now)
            try checkLocks(date)
            let payment = Payment(
                id: ids.identifier(), kind: kind, document: index, account: account, date: date, amount: amount,
                reference: json["Reference"]?.string ?? "", updated: now)
            let stored = payments.count
            payments.append(payment)
            paymentsByID[payment.id] = stored
            change(kind, index) { document in
                document.paid = document.paid + amount
                document.payments.append(stored)
                document.settle(at: now)
            }
            return .stored(stored)
        } catch {
            return .refused(json, existing: nil, messages: [error.message])
        }
    }

    private func target(_ json: JSON) throws(Refusal) -> (DocumentKind, Int) {
        let invoice = json["Invoice"]
        let note = json["CreditNote"]
        guard (invoice == nil) != (note == nil), let reference = invoice ?? note else {
            throw Refusal("Exactly one of Invoice or CreditNote must be specified")
        }
        let kind: DocumentKind = invoice != nil ? .invoice : .creditNote
        let id = kind == .invoice ? reference.id("InvoiceID") : reference.id("CreditNoteID")
        let number = (kind == .invoice ? reference["InvoiceNumber"] : reference["CreditNoteNumber"])?.string
        let index = id.flatMap { shelf(kind).index(of: $0) }
            ?? (id == nil ? number.flatMap { shelf(kind).index(numbered: $0) } : nil)
        guard let index else {
            throw Refusal(kind == .invoice ? "Invoice could not be found" : "Credit note could not be found")
        }
        return (kind, index)
    }

    private func paymentAccount(_ json: JSON?) throws(Refusal) -> Int {
        let code = json?["Code"]?.string
        let id = json?["AccountID"]?.string
        guard let name = code ?? id else { throw Refusal("Account must be specified") }
        guard let index = account(code: code, id: id), accounts[index].isActive else {
            throw Refusal("Account code '\(name)' is not a valid code for this document.")
        }
        guard accounts[index].takesPayments else {
            throw Refusal(
                "Account code '\(accounts[index].code)' is not a bank account and does not have payments enabled")
        }
        return index
    }

    /// Takes a payment back: the document owes again.
    mutating func deletePayment(_ index: Int, now: Int64) throws(Refusal) {
        let payment = payments[index]
        guard !payment.isDeleted else { throw Refusal("Payment not of valid status for modification") }
        // Inferred: no source shows the sentence.
        guard !payment.isReconciled else {
            throw Refusal("This payment cannot be deleted as it is reconciled with a bank transaction.")
        }
        try checkLocks(payment.date)
        payments[index].isDeleted = true
        payments[index].updated = now
        change(payment.kind, payment.document) { document in
            document.paid = document.paid - payment.amount
            document.settle(at: now)
        }
    }

    /// What the bank's statement does: the payments of a document, in effect now, are matched with its lines.
    mutating func reconcilePayments(of number: String) throws(SettingsError) {
        let indices =
            invoices.index(numbered: number).map { invoices.documents[$0].payments }
            ?? creditNotes.index(numbered: number).map { creditNotes.documents[$0].payments }
        guard let indices else { throw SettingsError("there is no document '\(number)'") }
        for index in indices where !payments[index].isDeleted { payments[index].isReconciled = true }
    }

    /// Sets part of a credit note against an invoice.
    mutating func allocate(_ json: JSON, from note: Int, now: Int64) throws(Refusal) -> Int {
        let creditNote = creditNotes.documents[note]
        guard creditNote.status == .authorised else {
            throw Refusal("Only authorised credit notes with remaining credit can be allocated")
        }
        let reference = json["Invoice"]
        let found = reference?.id("InvoiceID").flatMap { invoices.index(of: $0) }
            ?? reference?["InvoiceNumber"]?.string.flatMap { invoices.index(numbered: $0) }
        guard let index = found else { throw Refusal("Invoice could not be found") }
        let invoice = invoices.documents[index]
        guard invoice.status == .authorised else { throw Refusal("Invoice not of valid status for modification") }
        guard invoice.contact == creditNote.contact else {
            throw Refusal("The credit note and the invoice must belong to the same contact")
        }
        let applied = try json.fixed("AppliedAmount")
        guard let amount = (try json.fixed("Amount") ?? applied)?.inCents, amount > .zero else {
            throw Refusal("Amount must be greater than zero")
        }
        guard amount <= creditNote.due, amount <= invoice.due else {
            throw Refusal("Allocation amount exceeds the amount outstanding on this document")
        }
        let date = try json.day("Date") ?? Day(millisecond: now)
        try checkLocks(date)
        let stored = allocations.count
        allocations.append(
            Allocation(id: ids.identifier(), creditNote: note, invoice: index, amount: amount, date: date))
        for (kind, index) in [(DocumentKind.creditNote, note), (.invoice, index)] {
            change(kind, index) { document in
                document.credited = document.credited + amount
                document.allocations.append(stored)
                document.settle(at: now)
            }
        }
        return stored
    }

    mutating func deleteAllocation(_ index: Int, now: Int64) {
        let allocation = allocations[index]
        guard !allocation.isDeleted else { return }
        allocations[index].isDeleted = true
        for (kind, index) in [(DocumentKind.creditNote, allocation.creditNote), (.invoice, allocation.invoice)] {
            change(kind, index) { document in
                document.credited = document.credited - allocation.amount
                document.settle(at: now)
            }
        }
    }
}

extension Document {
    /// Paid when nothing is due, authorised again when something is.
    mutating func settle(at now: Int64) {
        updated = now
        status = due.units == 0 ? .paid : .authorised
    }
}
