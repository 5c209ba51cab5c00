/// A customer as Kounta's record has them, as far as rules that write back look at it.
package struct TillCustomer: Sendable, Hashable {
    package var id: String
    package var firstName: String
    package var lastName: String
    package var email: String?
    package var phone: String?
    package var mobile: String?
    package var tags: [String]
    /// The field that is the client app's own; nil where nothing stands in it.
    package var reference: String?

    package init(
        id: String, firstName: String = "", lastName: String = "", email: String? = nil, phone: String? = nil,
        mobile: String? = nil, tags: [String] = [], reference: String? = nil
    ) {
        self.id = id
        self.firstName = firstName
        self.lastName = lastName
        self.email = email
        self.phone = phone
        self.mobile = mobile
        self.tags = tags
        self.reference = reference
    }

    package var name: String { [firstName, lastName].filter { !$0.isEmpty }.joined(separator: " ") }

    /// Which fields besides the reference differ in the record after it was written; empty where it is the same person
    /// still. What a partial write does to the fields it does not name is not documented: so it is looked at.
    package func fieldsChanged(in after: TillCustomer) -> [String] {
        let pairs: [(String, Bool)] = [
            ("first_name", firstName == after.firstName), ("last_name", lastName == after.lastName),
            ("email", email == after.email), ("phone", phone == after.phone), ("mobile", mobile == after.mobile),
            ("tags", Set(tags) == Set(after.tags)),
        ]
        return pairs.filter { !$0.1 }.map(\.0)
    }
}

/// The ledger's contact of a customer.
package struct ContactFacts: Sendable, Hashable {
    /// Xero's `ContactID`.
    package var id: String
    /// Its `ContactNumber`.
    package var number: String

    package init(id: String, number: String) {
        self.id = id
        self.number = number
    }
}
