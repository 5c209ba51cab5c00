internal import JSON

/// Contacts: names are unique among the active ones, ignoring case; the number is the customer's id at the till.
extension Books {
    mutating func saveContact(_ json: JSON, _ intent: Intent, target: XeroID? = nil, now: Int64) -> Saved {
        var existing = target.flatMap { contactsByID[$0] }
        do throws(Refusal) {
            if existing == nil, intent == .update { existing = try findContact(json) }
            var contact = existing.map { contacts[$0] } ?? Contact(id: ids.identifier())
            if existing != nil, contact.isArchived {
                throw Refusal("The contact could not be updated: archived contacts cannot be edited through the API.")
            }
            try apply(json, to: &contact)
            try check(contact, existing)
            contact.updated = now
            return .stored(commit(contact, existing))
        } catch {
            return .refused(json, existing: existing, messages: [error.message])
        }
    }

    private func findContact(_ json: JSON) throws(Refusal) -> Int? {
        if let id = json.id("ContactID") {
            guard let index = contactsByID[id] else { throw Refusal("The contact \(id.text) could not be found.") }
            return index
        }
        if let number = json["ContactNumber"]?.string, let index = contactsByNumber[number] { return index }
        return json["Name"]?.string.flatMap { contactsByName[$0.lowercased()] }
    }

    private func apply(_ json: JSON, to contact: inout Contact) throws(Refusal) {
        if let value = json["Name"]?.string { contact.name = value }
        if let value = json["ContactNumber"]?.string { contact.number = value }
        if let value = json["AccountNumber"]?.string { contact.accountNumber = value }
        if let value = json["EmailAddress"]?.string { contact.email = value }
        if let value = json["FirstName"]?.string { contact.firstName = value }
        if let value = json["LastName"]?.string { contact.lastName = value }
        if let value = json["TaxNumber"]?.string { contact.taxNumber = value }
        if let value = json["CompanyNumber"]?.string { contact.companyNumber = value }
        if let value = json["Phones"], value.kind == .array { contact.phones = Array(value.raw) }
        if let value = json["Addresses"], value.kind == .array { contact.addresses = Array(value.raw) }
        if let value = json["ContactPersons"], value.kind == .array {
            guard value.elements.count <= 5 else { throw Refusal("A contact may have at most 5 contact persons") }
            contact.persons = Array(value.raw)
        }
        if let status = json["ContactStatus"]?.string {
            guard status == "ACTIVE" || status == "ARCHIVED" else { throw Refusal("ContactStatus is not valid") }
            contact.isArchived = status == "ARCHIVED"
        }
    }

    private func check(_ contact: Contact, _ existing: Int?) throws(Refusal) {
        guard !contact.name.isEmpty else { throw Refusal("The contact name must be specified.") }
        guard contact.name.count <= 255 else { throw Refusal("The contact name must be 255 characters or fewer.") }
        guard !contact.name.contains(where: { $0 == "<" || $0 == ">" }), !contact.name.contains("  ") else {
            throw Refusal("The contact name must not contain '<', '>' or doubled spaces.")
        }
        guard contact.number.count <= 50 else { throw Refusal("ContactNumber must be 50 characters or fewer.") }
        guard contact.accountNumber.count <= 50 else { throw Refusal("AccountNumber must be 50 characters or fewer.") }
        guard !contact.isArchived else { return }
        if let other = contactsByName[contact.name.lowercased()], other != existing {
            throw Refusal(
                "The contact name \(contact.name) is already assigned to another contact. The contact name must be "
                    + "unique across all active contacts.")
        }
        if !contact.number.isEmpty, let other = contactsByNumber[contact.number], other != existing {
            throw Refusal("The contact number \(contact.number) is already assigned to another contact.")
        }
    }

    private mutating func commit(_ contact: Contact, _ existing: Int?) -> Int {
        let index = existing ?? contacts.count
        if let existing {
            contactsByName[contacts[existing].name.lowercased()] = nil
            contactsByNumber[contacts[existing].number] = nil
            contacts[existing] = contact
        } else {
            contacts.append(contact)
            contactsByID[contact.id] = index
        }
        if !contact.isArchived {
            contactsByName[contact.name.lowercased()] = index
            if !contact.number.isEmpty { contactsByNumber[contact.number] = index }
        }
        refreshEmbedded(index)
        return index
    }

    /// What a person does in the vendor's pages; its API restores no contact.
    mutating func restoreContact(_ number: String) throws(SettingsError) {
        guard let index = contacts.firstIndex(where: { $0.number == number && $0.isArchived && $0.mergedInto == nil })
        else {
            throw SettingsError("there is no archived contact '\(number)'")
        }
        var contact = contacts[index]
        contact.isArchived = false
        _ = commit(contact, index)
    }

    /// What a person does in the vendor's pages: everything of the one is the other's from then on.
    mutating func mergeContact(_ number: String, into other: String) throws(SettingsError) {
        guard number != other, let index = contactsByNumber[number], let target = contactsByNumber[other] else {
            throw SettingsError("there are no two active contacts '\(number)' and '\(other)'")
        }
        var contact = contacts[index]
        (contact.isArchived, contact.mergedInto) = (true, contacts[target].id)
        _ = commit(contact, index)
        for document in invoices.documents.indices where invoices.documents[document].contact == index {
            invoices.documents[document].contact = target
        }
        for document in creditNotes.documents.indices where creditNotes.documents[document].contact == index {
            creditNotes.documents[document].contact = target
        }
    }

    mutating func markCustomer(_ index: Int) {
        guard !contacts[index].isCustomer else { return }
        contacts[index].isCustomer = true
        refreshEmbedded(index)
    }

    private mutating func refreshEmbedded(_ index: Int) {
        var writer = JSONWriter(capacity: 1024)
        write(contacts[index], to: &writer)
        contacts[index].embedded = writer.bytes
    }

    /// The contact a document names. By id; by number or name too, as the vendor does. Members beside the id are
    /// applied to the contact, which is why a client should send the id alone.
    mutating func contact(named json: JSON) throws(Refusal) -> Int {
        let index: Int
        if let id = json.id("ContactID") {
            guard let found = contactsByID[id] else {
                throw Refusal("The Contact with ContactID \(id.text) could not be found.")
            }
            index = found
        } else if let number = json["ContactNumber"]?.string, let found = contactsByNumber[number] {
            index = found
        } else if let name = json["Name"]?.string, let found = contactsByName[name.lowercased()] {
            index = found
        } else {
            throw Refusal("A Contact must be specified for this type of transaction.")
        }
        guard json["Name"] != nil || json["EmailAddress"] != nil || json["ContactNumber"] != nil else { return index }
        var changed = contacts[index]
        try apply(json, to: &changed)
        try check(changed, index)
        return commit(changed, index)
    }
}
