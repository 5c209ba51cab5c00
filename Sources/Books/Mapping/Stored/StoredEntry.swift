import Domain
package import JSON
import Money

/// What went into a day's summary is kept, so that a later version of an order can be set against it.
extension DayEntry: StoredForm {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            switch source {
            case .order(let order, let slot):
                writer.field("order", order.text)
                writer.field("slot", slot.stored)
            case .variance(let method): writer.field("variance", method)
            }
            writer.field("day", day.description)
            writer.field("refund", isRefund)
            writer.list("parts", parts)
            writer.list("payments", payments)
        }
    }

    package init(stored json: JSON) throws(StoredFormError) {
        let source: Source
        if let method = json["variance"]?.string {
            source = .variance(method: method)
        } else {
            guard let slot = DocumentSlot(stored: try json.text("slot")) else { throw StoredFormError(field: "slot") }
            source = .order(OrderID(try json.text("order")), slot)
        }
        guard let isRefund = json["refund"]?.bool else { throw StoredFormError(field: "refund") }
        self.init(
            source: source, day: try json.date("day"), isRefund: isRefund, parts: try json.list("parts"),
            payments: try json.list("payments"))
    }
}

extension DayEntry.Part: StoredForm {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("account", group.account)
            writer.field("tax_type", group.taxType)
            writer.list("tracking", group.tracking)
            if !group.label.isEmpty { writer.field("label", group.label) }
            writer.field("cents", amount.cents)
        }
    }

    package init(stored json: JSON) throws(StoredFormError) {
        self.init(
            group: DayEntry.Group(
                account: try json.text("account"), taxType: try json.text("tax_type"),
                tracking: try json.list("tracking"), label: json["label"]?.string ?? ""),
            amount: try json.money("cents"))
    }
}
