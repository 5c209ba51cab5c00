internal import JSON

/// Creating and changing invoices and credit notes.
extension Books {
    enum Intent { case create, update }

    /// Tries one element of a batch. Creating refuses a used number; updating takes an existing document by id or
    /// number and overwrites it, or creates. Nothing is changed where it is refused.
    mutating func save(
        _ json: JSON, _ kind: DocumentKind, _ intent: Intent, target: Int? = nil, unitPlaces: Int, now: Int64
    ) -> Saved {
        var existing = target
        do throws(Refusal) {
            if existing == nil { existing = try find(json, kind, intent) }
            var document =
                existing.map { self.document(kind, $0) }
                ?? Document(kind: kind, date: Day(millisecond: now), currency: settings.currency)
            let former = existing.map { _ in document }
            if let former { try checkStatus(of: former, wanted: json["Status"]?.string) }
            var messages: [String] = []
            try apply(json, to: &document, unitPlaces: unitPlaces, messages: &messages)
            guard messages.isEmpty else { return .refused(json, existing: existing, messages: messages) }
            if let former, document.status == .voided || document.status == .deleted {
                // Only the status moves: what else the request says is left aside.
                let status = document.status
                document = former
                document.status = status
                try checkLocks(document.date)
            } else {
                try check(&document, former: former)
            }
            return .stored(commit(document, existing, now: now))
        } catch {
            return .refused(json, existing: existing, messages: [error.message])
        }
    }

    private func find(_ json: JSON, _ kind: DocumentKind, _ intent: Intent) throws(Refusal) -> Int? {
        let id = kind == .invoice ? json.id("InvoiceID") : json.id("CreditNoteID")
        let number = (kind == .invoice ? json["InvoiceNumber"] : json["CreditNoteNumber"])?.string ?? ""
        let byNumber = number.isEmpty ? nil : shelf(kind).index(numbered: number)
        if intent == .create {
            if byNumber != nil || id.flatMap({ shelf(kind).index(of: $0) }) != nil {
                throw Refusal(kind == .invoice ? "Invoice # must be unique." : "Credit Note # must be unique.")
            }
            return nil
        }
        guard let id else { return byNumber }
        guard let index = shelf(kind).index(of: id) else { throw Refusal("The document ID could not be found.") }
        if let byNumber, byNumber != index { throw Refusal("Invoice # must be unique.") }
        return index
    }

    /// The legal moves of a document's life.
    private func checkStatus(of document: Document, wanted: String?) throws(Refusal) {
        let refusal = Refusal("Invoice not of valid status for modification")
        let wanted = wanted.flatMap(DocumentStatus.init(rawValue:)) ?? document.status
        switch document.status {
        case .voided, .deleted: throw refusal
        case .draft, .submitted:
            guard wanted != .voided, wanted != .paid else { throw refusal }
        case .authorised, .paid:
            if wanted == .voided {
                guard !document.hasMoneyApplied else { throw Self.moneyApplied }
            } else if wanted != document.status, !(document.status == .paid && wanted == .authorised) {
                throw refusal
            }
        }
    }

    private static var moneyApplied: Refusal {
        Refusal("This document cannot be edited as it has a payment or credit note allocated to it.")
    }

    /// Lays the element's members over the document.
    private mutating func apply(
        _ json: JSON, to document: inout Document, unitPlaces: Int, messages: inout [String]
    ) throws(Refusal) {
        let isInvoice = document.kind == .invoice
        guard let type = json["Type"]?.string ?? (document.id == .zero ? nil : (isInvoice ? "ACCREC" : "ACCRECCREDIT")),
            type == (isInvoice ? "ACCREC" : "ACCRECCREDIT")
        else { throw Refusal("Type must be \(isInvoice ? "ACCREC" : "ACCRECCREDIT") in this ledger") }
        if let text = json["Status"]?.string {
            guard let status = DocumentStatus(rawValue: text) else { throw Refusal("Status '\(text)' is not valid") }
            let isNew = document.id == .zero
            guard !isNew || status == .draft || status == .submitted || status == .authorised else {
                throw Refusal("Invoice not of valid status for creation")
            }
            if document.status != .paid || status == .voided { document.status = status }
        }
        if let number = (isInvoice ? json["InvoiceNumber"] : json["CreditNoteNumber"])?.string, !number.isEmpty {
            guard number.utf8.count <= 255, number.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                throw Refusal("The number must be 255 printable characters or fewer")
            }
            document.number = number
        }
        if let reference = json["Reference"]?.string {
            guard reference.count <= 255 else { throw Refusal("Reference must be 255 characters or fewer") }
            document.reference = reference
        }
        if let url = json["Url"]?.string {
            guard !url.lowercased().contains("xero") else { throw Refusal("Url must not contain 'xero'") }
            document.url = url
        }
        if let text = json["LineAmountTypes"]?.string {
            guard let types = LineAmountTypes(rawValue: text) else { throw Refusal("LineAmountTypes is not valid") }
            document.amountTypes = types
        }
        if let currency = json["CurrencyCode"]?.string, currency != settings.currency {
            throw Refusal("Organisation is not subscribed to currency \(currency)")
        }
        if let date = try json.day("Date") { document.date = date }
        if let date = try json.day("DueDate") { document.dueDate = date }
        if let sent = json["SentToContact"]?.bool { document.sentToContact = sent }
        if let contact = json["Contact"] { document.contact = try self.contact(named: contact) }
        if let lines = json["LineItems"] {
            guard document.kind == .invoice || !lines.elements.contains(where: { $0["DiscountRate"] != nil }) else {
                throw Refusal("Discounts are not allowed on credit notes")
            }
            let target = document
            document.lines = lines.elements.map {
                line($0, of: target, unitPlaces: unitPlaces, messages: &messages)
            }
        }
    }

    /// What must hold for a document that stays alive.
    private func check(_ document: inout Document, former: Document?) throws(Refusal) {
        guard document.contact >= 0 else {
            throw Refusal("A Contact must be specified for this type of transaction.")
        }
        if contacts[document.contact].isArchived, former?.contact != document.contact {
            throw Refusal(
                "The Contact with ContactID \(contacts[document.contact].id.text) has been archived. It must be "
                    + "un-archived before creating new invoices or credit notes.")
        }
        try checkLocks(document.date)
        if let former { try checkLocks(former.date) }
        try addUp(&document)
        if let former, former.hasMoneyApplied {
            let isSame = former.lines.count == document.lines.count && former.date == document.date
                && former.amountTypes == document.amountTypes && former.total == document.total
                && zip(former.lines, document.lines).allSatisfy { $0.hasSameAmounts(as: $1) }
            guard isSame else { throw Self.moneyApplied }
        }
        guard document.status == .authorised || document.status == .paid else { return }
        guard document.kind == .creditNote || document.dueDate != nil else {
            throw Refusal("Due Date must be specified for an approved invoice.")
        }
        guard !document.lines.isEmpty else { throw Refusal("One or more line items must be specified") }
        for line in document.lines where line.lineAmount.units != 0 || line.quantity != nil {
            guard line.account != nil else { throw Refusal("Account code must be specified") }
            guard !line.description.isEmpty else { throw Refusal("Description cannot be empty on an approved line") }
            guard line.tax != nil || document.amountTypes == .noTax else { throw Refusal("TaxType must be specified") }
        }
    }

    private mutating func commit(_ document: Document, _ existing: Int?, now: Int64) -> Int {
        var stored = document
        if existing == nil { stored.id = ids.identifier() }
        if stored.number.isEmpty { stored.number = nextNumber(stored.kind) }
        for index in stored.lines.indices where stored.lines[index].id == .zero {
            stored.lines[index].id = ids.identifier()
        }
        stored.updated = now
        // Nothing is owed on a document of zero: it is paid at once.
        if stored.status == .authorised, stored.due.units == 0 { stored.status = .paid }
        markCustomer(stored.contact)
        switch stored.kind {
        case .invoice:
            if let existing { invoices.replace(existing, with: stored) } else { return invoices.append(stored) }
        case .creditNote:
            if let existing { creditNotes.replace(existing, with: stored) } else { return creditNotes.append(stored) }
        }
        return existing ?? 0
    }
}
