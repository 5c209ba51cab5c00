package import Domain
package import JSON
import Money

extension LedgerDocument: StoredForm {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("kind", kind.rawValue)
            writer.field("slot", slot.stored)
            writer.field("number", number.text)
            writer.field("reference", reference)
            writer.field("date", date.description)
            writer.field("day", day.description)
            writer.field("due", dueDate.description)
            writer.field("currency", currency)
            writer.field("contact", contactNumber)
            writer.optional("contact_name", contactName)
            if let customer { write(customer, to: &writer) }
            writer.optional("theme", brandingTheme)
            writer.optional("url", url)
            writer.list("lines", lines)
            writer.list("payments", payments)
            writer.list("allocations", allocations)
            if isOnAccount { writer.field("on_account", true) }
            if let tillTax { writer.field("till_tax", tillTax.cents) }
            writer.texts("reasons", reasons)
            writer.texts("warnings", warnings)
        }
    }

    private func write(_ customer: Customer, to writer: inout JSONWriter) {
        writer.key("customer")
        writer.object { writer in
            writer.field("id", customer.id)
            writer.field("first_name", customer.firstName)
            writer.field("last_name", customer.lastName)
            writer.optional("email", customer.email)
            writer.texts("tags", customer.tags)
        }
    }

    package init(stored json: JSON) throws(StoredFormError) {
        self.init(
            number: DocumentNumber(try json.text("number")), reference: try json.text("reference"),
            date: try json.date("date"), dueDate: try json.date("due"), currency: try json.text("currency"),
            contactNumber: try json.text("contact"), lines: try json.list("lines"),
            payments: try json.list("payments"))
        guard let kind = Kind(rawValue: try json.text("kind")) else { throw StoredFormError(field: "kind") }
        guard let slot = DocumentSlot(stored: try json.text("slot")) else { throw StoredFormError(field: "slot") }
        (self.kind, self.slot, day) = (kind, slot, try json.date("day"))
        contactName = json["contact_name"]?.string
        if let stored = json["customer"] {
            var customer = Customer(
                id: try stored.text("id"), firstName: try stored.text("first_name"),
                lastName: try stored.text("last_name"), email: stored["email"]?.string)
            customer.tags = stored["tags"]?.elements.compactMap(\.string) ?? []
            self.customer = customer
        }
        brandingTheme = json["theme"]?.string
        url = json["url"]?.string
        allocations = try json.list("allocations")
        isOnAccount = json["on_account"]?.bool ?? false
        tillTax = json["till_tax"] == nil ? nil : try json.money("till_tax")
        reasons = json["reasons"]?.elements.compactMap(\.string) ?? []
        warnings = json["warnings"]?.elements.compactMap(\.string) ?? []
    }
}

extension DocumentSlot {
    /// `sale`, `refund 2`, `reversal 0`.
    var stored: String {
        switch self {
        case .sale: "sale"
        case .refund(let turn): "refund \(turn)"
        case .reversal(let revision): "reversal \(revision)"
        }
    }

    init?(stored text: String) {
        let words = text.split(separator: " ")
        switch (words.first, words.dropFirst().first.flatMap { Int($0) }, words.count) {
        case ("sale", nil, 1): self = .sale
        case ("refund", let turn?, 2): self = .refund(turn)
        case ("reversal", let revision?, 2): self = .reversal(revision)
        default: return nil
        }
    }
}

extension LedgerLine: StoredForm {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("description", description)
            writer.field("quantity", number: quantity.description)
            writer.field("unit", number: unitAmount.description)
            writer.field("cents", amount.cents)
            writer.field("account", account)
            writer.field("tax_type", taxType)
            writer.field("tax", tax.cents)
            writer.optional("item", itemCode)
            writer.list("tracking", tracking)
            if let source { writer.field("source", source) }
            writer.field("rule", rule)
        }
    }

    package init(stored json: JSON) throws(StoredFormError) {
        self.init(
            description: try json.text("description"), quantity: try json.decimal("quantity"),
            unitAmount: try json.decimal("unit"), amount: try json.money("cents"), account: try json.text("account"),
            taxType: try json.text("tax_type"), tax: try json.money("tax"), tracking: try json.list("tracking"))
        itemCode = json["item"]?.string
        source = json["source"]?.integer.flatMap { Int(exactly: $0) }
        rule = try json.text("rule")
    }
}

extension Tracking: StoredForm {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("category", category)
            writer.field("option", option)
        }
    }

    package init(stored json: JSON) throws(StoredFormError) {
        self.init(category: try json.text("category"), option: try json.text("option"))
    }
}

extension LedgerPayment: StoredForm {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("account", account)
            writer.field("cents", amount.cents)
            writer.field("date", date.description)
            writer.field("day", day.description)
            writer.field("reference", reference)
            if method != reference { writer.field("method", method) }
        }
    }

    package init(stored json: JSON) throws(StoredFormError) {
        self.init(
            account: try json.text("account"), amount: try json.money("cents"), date: try json.date("date"),
            reference: try json.text("reference"))
        day = try json.date("day")
        method = json["method"]?.string ?? reference
    }
}

extension LedgerAllocation: StoredForm {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("invoice", invoice.text)
            writer.field("cents", amount.cents)
            writer.field("date", date.description)
        }
    }

    package init(stored json: JSON) throws(StoredFormError) {
        self.init(
            invoice: DocumentNumber(try json.text("invoice")), amount: try json.money("cents"),
            date: try json.date("date"))
    }
}
