import JSON
package import Mapping

/// Reads a customer's record as far as rules that write back look at it. Names of fields differ by a record's age.
package enum CustomerRecord {
    /// Nil for what is no customer: it has no id.
    package static func customer(from body: [UInt8]) -> TillCustomer? {
        guard let json = try? JSON(parsing: body), let id = json["id"]?.identifierText else { return nil }
        return TillCustomer(
            id: id, firstName: json["first_name"]?.string ?? "", lastName: json["last_name"]?.string ?? "",
            email: (json["primary_email_address"] ?? json["email"])?.filledString, phone: json["phone"]?.filledString,
            mobile: json["mobile"]?.filledString, tags: json["tags"]?.names ?? [],
            reference: json["reference_id"]?.text.flatMap { $0.isEmpty ? nil : $0 })
    }
}
