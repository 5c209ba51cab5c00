internal import JSON

/// The lists: `GET` without an identifier.
extension Books {
    func list(_ kind: DocumentKind, _ name: StaticString, _ call: Call) throws(Refusal) -> Answer {
        let filter = try call.query["where"].map { (text) throws(Refusal) in try Filter(text) }
        let found = try candidates(kind, call.query, filter)
        let statuses = call.query.list("Statuses").map(Set.init)
        let contacts = call.query.list("ContactIDs").map { Set($0.compactMap { XeroID($0) }) }
        let documents = shelf(kind).documents
        var indices: [Int] = []
        for index in found {
            let document = documents[index]
            if let since = call.modifiedSince, document.updated < since { continue }
            if let statuses, !statuses.contains(document.status.rawValue) { continue }
            if let contacts, !contacts.contains(self.contacts[document.contact].id) { continue }
            if let filter, try !filter.matches({ value($0, of: document) }) { continue }
            indices.append(index)
        }
        try sort(&indices, documents, call.query["order"])
        let page = try Page(call.query, total: indices.count)
        let isShort = page == nil || call.query.isTrue("summaryOnly")
        let shown = page?.slice(indices) ?? indices[...]
        return envelope(call, name, capacity: shown.count * 1024 + 512, page: page) { books, writer in
            for index in shown { books.write(kind, index, isShort ? .summary : .full, to: &writer) }
        }
    }

    /// What a list may look through: found by index where numbers or identifiers are given, everything otherwise.
    private func candidates(_ kind: DocumentKind, _ query: Query, _ filter: Filter?) throws(Refusal) -> [Int] {
        let shelf = shelf(kind)
        let isInvoice = kind == .invoice
        if let numbers = query.list(isInvoice ? "InvoiceNumbers" : "CreditNoteNumbers") {
            guard numbers.count <= 40 else { throw Refusal("At most 40 numbers are taken in one call") }
            return Set(numbers.compactMap { shelf.index(numbered: $0) }).sorted()
        }
        if let identifiers = query.list("IDs") {
            guard identifiers.count <= 40 else { throw Refusal("At most 40 identifiers are taken in one call") }
            return Set(identifiers.compactMap { XeroID($0) }.compactMap { shelf.index(of: $0) }).sorted()
        }
        if case .id(let id)? = filter?.required(isInvoice ? "InvoiceID" : "CreditNoteID") {
            return shelf.index(of: id).map { [$0] } ?? []
        }
        // The usual spelling of a number goes by the index; another case of letters falls through to nothing.
        if case .text(let number)? = filter?.required(isInvoice ? "InvoiceNumber" : "CreditNoteNumber"),
            let index = shelf.index(numbered: number)
        {
            return [index]
        }
        return Array(shelf.documents.indices)
    }

    private func value(_ field: String, of document: Document) -> Filter.Value? {
        switch field {
        case "InvoiceID", "CreditNoteID": .id(document.id)
        case "InvoiceNumber", "CreditNoteNumber": .text(document.number)
        case "Reference": .text(document.reference)
        case "Status": .text(document.status.rawValue)
        case "Type": .text(document.kind == .invoice ? "ACCREC" : "ACCRECCREDIT")
        case "Contact.ContactID": .id(contacts[document.contact].id)
        case "Contact.Name": .text(contacts[document.contact].name)
        case "Contact.ContactNumber": .text(contacts[document.contact].number)
        case "Date": .day(document.date)
        case "DueDate": .day(document.dueDate ?? document.date)
        case "Total": .number(document.total)
        case "AmountDue": .number(document.due)
        case "AmountPaid": .number(document.paid)
        default: nil
        }
    }

    private func sort(_ indices: inout [Int], _ documents: [Document], _ order: String?) throws(Refusal) {
        guard let order, !order.isEmpty else { return }
        let parts = order.split(separator: " ")
        let isDescending = parts.count > 1 && parts[1].uppercased() == "DESC"
        switch parts[0] {
        case "InvoiceNumber", "CreditNoteNumber": indices.sort { documents[$0].number < documents[$1].number }
        case "Date": indices.sort { (documents[$0].date, $0) < (documents[$1].date, $1) }
        case "UpdatedDateUTC": indices.sort { (documents[$0].updated, $0) < (documents[$1].updated, $1) }
        default: throw Refusal("The list cannot be ordered by '\(parts[0])'")
        }
        if isDescending { indices.reverse() }
    }

    // MARK: payments, contacts, items

    func listPayments(_ call: Call) throws(Refusal) -> Answer {
        let filter = try call.query["where"].map { (text) throws(Refusal) in try Filter(text) }
        var found = Array(payments.indices)
        if case .id(let id)? = filter?.required("Invoice.InvoiceID") {
            found = invoices.index(of: id).map { invoices.documents[$0].payments } ?? []
        } else if case .text(let number)? = filter?.required("Invoice.InvoiceNumber"),
            let index = invoices.index(numbered: number)
        {
            found = invoices.documents[index].payments
        }
        if let identifiers = call.query.list("IDs") {
            found = identifiers.compactMap { XeroID($0) }.compactMap { paymentsByID[$0] }
        }
        var indices: [Int] = []
        for index in found {
            if let since = call.modifiedSince, payments[index].updated < since { continue }
            if let filter, try !filter.matches({ value($0, of: payments[index]) }) { continue }
            indices.append(index)
        }
        let page = try Page(call.query, total: indices.count)
        return envelope(call, "Payments", page: page) { books, writer in
            for index in page?.slice(indices) ?? indices[...] { books.write(books.payments[index], to: &writer) }
        }
    }

    private func value(_ field: String, of payment: Payment) -> Filter.Value? {
        let document = self.document(payment.kind, payment.document)
        return switch field {
        case "PaymentID": .id(payment.id)
        case "Status": .text(payment.isDeleted ? "DELETED" : "AUTHORISED")
        case "Reference": .text(payment.reference)
        case "Date": .day(payment.date)
        case "Amount": .number(payment.amount)
        case "PaymentType": .text(payment.kind == .invoice ? "ACCRECPAYMENT" : "ARCREDITPAYMENT")
        case "Invoice.InvoiceID": .id(payment.kind == .invoice ? document.id : .zero)
        case "Invoice.InvoiceNumber": .text(payment.kind == .invoice ? document.number : "")
        case "Account.Code": .text(accounts[payment.account].code)
        default: nil
        }
    }

    func listContacts(_ call: Call) throws(Refusal) -> Answer {
        let filter = try call.query["where"].map { (text) throws(Refusal) in try Filter(text) }
        var found = Array(contacts.indices)
        let identifiers = call.query.list("IDs")
        if let identifiers {
            found = identifiers.compactMap { XeroID($0) }.compactMap { contactsByID[$0] }
        } else if case .text(let number)? = filter?.required("ContactNumber"), let index = contactsByNumber[number] {
            found = [index]
        }
        let term = call.query["searchTerm"]?.lowercased()
        let withArchived = call.query.isTrue("includeArchived") || identifiers != nil
        var indices: [Int] = []
        for index in found {
            let contact = contacts[index]
            if contact.isArchived, !withArchived { continue }
            if let since = call.modifiedSince, contact.updated < since { continue }
            if let term, !Self.texts(contact).contains(where: { $0.lowercased().contains(term) }) { continue }
            if let filter, try !filter.matches({ Self.value($0, of: contact) }) { continue }
            indices.append(index)
        }
        let page = try Page(call.query, total: indices.count)
        return envelope(call, "Contacts", page: page) { books, writer in
            for index in page?.slice(indices) ?? indices[...] { books.write(books.contacts[index], to: &writer) }
        }
    }

    private static func texts(_ contact: Contact) -> [String] {
        [contact.name, contact.firstName, contact.lastName, contact.number, contact.email, contact.companyNumber]
    }

    private static func value(_ field: String, of contact: Contact) -> Filter.Value? {
        switch field {
        case "ContactID": .id(contact.id)
        case "ContactNumber": .text(contact.number)
        case "AccountNumber": .text(contact.accountNumber)
        case "Name": .text(contact.name)
        case "EmailAddress": .text(contact.email)
        case "ContactStatus": .text(contact.isArchived ? "ARCHIVED" : "ACTIVE")
        case "IsCustomer": .flag(contact.isCustomer)
        default: nil
        }
    }

    func listItems(_ call: Call) throws(Refusal) -> Answer {
        guard call.method == "GET" else { return .notFound }
        let filter = try call.query["where"].map { (text) throws(Refusal) in try Filter(text) }
        var indices: [Int] = []
        for (index, item) in items.enumerated() {
            if let since = call.modifiedSince, item.updated < since { continue }
            if let filter, try !filter.matches({ Self.value($0, of: item) }) { continue }
            indices.append(index)
        }
        return envelope(call, "Items") { books, writer in
            for index in indices { books.write(books.items[index], to: &writer) }
        }
    }

    private static func value(_ field: String, of item: Item) -> Filter.Value? {
        switch field {
        case "Code": .text(item.code)
        case "Name": .text(item.name)
        default: nil
        }
    }

    // MARK: settings

    func answerSettings(_ place: String, _ call: Call) throws(Refusal) -> Answer {
        switch place {
        case "Accounts":
            let filter = try call.query["where"].map { (text) throws(Refusal) in try Filter(text) }
            var shown: [Account] = []
            for account in accounts {
                guard call.path.count == 1 || call.path[1] == account.id.text || call.path[1] == account.code else {
                    continue
                }
                if let filter, try !filter.matches({ Self.value($0, of: account) }) { continue }
                shown.append(account)
            }
            if call.path.count > 1, shown.isEmpty { return .notFound }
            return envelope(call, "Accounts") { books, writer in
                for account in shown { books.write(account, to: &writer) }
            }
        case "TaxRates":
            return envelope(call, "TaxRates") { books, writer in
                for rate in books.taxRates { books.write(rate, to: &writer) }
            }
        case "TrackingCategories":
            return envelope(call, "TrackingCategories") { books, writer in
                for category in books.tracking { books.write(category, to: &writer) }
            }
        case "Organisation", "Organisations":
            return envelope(call, "Organisations") { books, writer in books.writeOrganisation(to: &writer) }
        case "Currencies":
            return envelope(call, "Currencies") { books, writer in
                writer.object { writer in
                    writer.field("Code", books.settings.currency)
                    writer.field("Description", books.settings.currency)
                }
            }
        case "BrandingThemes":
            return envelope(call, "BrandingThemes") { books, writer in
                writer.object { writer in
                    writer.field("BrandingThemeID", books.brandingTheme.text)
                    writer.field("Name", "Standard")
                    writer.field("SortOrder", 0)
                    writer.field("CreatedDateUTC", "/Date(1455827393000)/")
                }
            }
        default: return .notFound
        }
    }

    /// Every organisation has one theme, and the same in each run.
    private var brandingTheme: XeroID {
        XeroID(high: digest(settings.tenantID.utf8), low: digest("branding theme".utf8))
    }

    private static func value(_ field: String, of account: Account) -> Filter.Value? {
        switch field {
        case "Code": .text(account.code)
        case "Name": .text(account.name)
        case "Type": .text(account.type.rawValue)
        case "Class": .text(account.type.accountClass)
        case "Status": .text(account.isActive ? "ACTIVE" : "ARCHIVED")
        case "SystemAccount": .text(account.systemAccount)
        case "EnablePaymentsToAccount": .flag(account.enablesPayments)
        default: nil
        }
    }
}
