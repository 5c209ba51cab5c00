import Domain
import JSON
import Money

/// Who sold what to whom, and how it was paid.
extension OrderRecord {
    /// What money does not depend on is read leniently: absent where it cannot be read.
    func readCircumstances(into order: inout Order) {
        order.placedAt = json["placed_at"]?.string.flatMap { Instant(iso8601: $0) }
        order.updatedAt = json["updated_at"]?.string.flatMap { Instant(iso8601: $0) }
        order.type = json["order_type"]?.filledString
        order.register = json["register_id"]?.identifierText
        // The list says `staff_id`, the record `staff_member_id`.
        order.staff = (json["staff_member_id"] ?? json["staff_id"])?.identifierText
        order.notes = json["notes"]?.filledString
        order.guests = json["guests"]?.integer.flatMap { Int(exactly: $0) }
        // Inferred: no source lists the values of `order_payment_type`; "sale" has been seen on ordinary sales.
        order.isOnAccount = json["order_payment_type"]?.string?.lowercased().contains("account") ?? false
        order.customer = customer()
        if order.customer != nil { CustomerAddition(in: json)?.complete(&order) }
    }

    /// Nil where the order names nobody, or somebody without an id: there is nobody to send an account to.
    func customer() -> Customer? {
        guard let customer = json["customer"], let id = customer["id"]?.identifierText else { return nil }
        var result = Customer(
            id: id, firstName: customer["first_name"]?.string ?? "", lastName: customer["last_name"]?.string ?? "",
            email: (customer["email"] ?? customer["primary_email_address"])?.filledString)
        result.tags = customer["tags"]?.names ?? []
        return result
    }

    func payments() throws(Park) -> [Tender] {
        var tenders: [Tender] = []
        for (index, payment) in (json["payments"]?.elements ?? []).enumerated() {
            let place = "payment \(index + 1)"
            guard let amount = try amount("amount", of: payment, in: place) else { throw missing("amount", in: place) }
            let method = payment["method"]
            var tender = Tender(
                method: method?["name"]?.string ?? method?["id"]?.text ?? "unnamed",
                amount: amount, tip: try self.amount("tip", of: payment, in: place) ?? .zero)
            tender.id = payment["id"]?.identifierText
            tender.paidAt = payment["created_at"]?.string.flatMap { Instant(iso8601: $0) }
            tender.reference = payment["ref"]?.string
            tenders.append(tender)
        }
        return tenders
    }
}
