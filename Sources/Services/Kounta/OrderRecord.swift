package import Domain
package import JSON
import Money

/// Reads Kounta's order records, old and new shapes, into ``Domain/Order``.
///
/// Lenient where the sources show two shapes (amounts as numbers or strings, `COMPLETED`, missing line totals), strict
/// where money is at stake: what is missing or no number is refused with the field's name.
package struct OrderRecord {
    let json: JSON
    let id: String

    /// - Throws: ``Park`` of class `parse` or `value`, with the field that cannot be read.
    package static func order(from body: [UInt8]) throws(Park) -> Order {
        let json: JSON
        do { json = try JSON(parsing: body) } catch {
            throw Park(
                .parse, "The record from Kounta cannot be read: \(error).",
                remedy: "Open the order in Kounta and save it again, or replay it once the cause is mended.")
        }
        guard json.kind == .object, let id = json.orderID else {
            throw Park(
                .parse, "The record from Kounta is no order: it has no `id`.",
                remedy: "Check what was sent to the fleet's queue, then discard this letter.")
        }
        return try OrderRecord(json: json, id: id).order()
    }

    private func order() throws(Park) -> Order {
        let isDeleted = json["deleted"]?.isTruthful ?? false
        var order = Order(
            id: OrderID(id), site: SiteID(try identifier("site_id")), status: try text("status", of: json),
            createdAt: try instant("created_at"), total: isDeleted ? .zero : try total(),
            // Of an order that is gone only that is of interest; a list's row, all there may be of it, has no lines.
            lines: isDeleted ? [] : try lines(), payments: isDeleted ? [] : try payments())
        order.saleNumber = json["sale_number"]?.text
        order.isDeleted = isDeleted
        order.isRefund = json["is_refund"]?.isTruthful ?? false
        order.refundedOrder = json["refunded_order_id"]?.orderIDText.map(OrderID.init)
        order.currency = json["currency"]?.string
        order.paid = try amount("paid", of: json)
        order.totalTax = try amount("total_tax", of: json)
        if !isDeleted { try addOptions(to: &order) }
        readCircumstances(into: &order)
        order.priceVariation = try amount("price_variation", of: json) ?? .one
        order.fixedVariation = try amount("price_fixed_variation", of: json) ?? .zero
        order.tips = try amount("tips", of: json) ?? .zero
        return order
    }

    /// Old records have no `total`: then the payments are what the customer owed.
    private func total() throws(Park) -> ExactDecimal {
        if let total = try amount("total", of: json) { return total }
        guard json["paid"] == nil, let payments = json["payments"]?.elements, !payments.isEmpty else {
            throw missing("total")
        }
        var sum = ExactDecimal.zero
        for payment in payments { sum = sum + (try amount("amount", of: payment) ?? .zero) }
        return sum
    }

    // MARK: values

    /// Nil where the field is absent; kounta sends amounts as numbers, sometimes as strings.
    func amount(_ field: StaticString, of json: JSON, in place: String = "") throws(Park) -> ExactDecimal? {
        guard let value = json[field] else { return nil }
        guard let text = value.text, let amount = ExactDecimal(text) else {
            let shown = String(decoding: value.raw.prefix(40), as: UTF8.self)
            throw unusable("\(field)", "\(shown), which is no amount", in: place)
        }
        return amount
    }

    private func text(_ field: StaticString, of json: JSON) throws(Park) -> String {
        guard let value = json[field] else { throw missing("\(field)") }
        guard let text = value.string else { throw unusable("\(field)", "no text") }
        return text
    }

    private func identifier(_ field: StaticString) throws(Park) -> String {
        guard let value = json[field] else { throw missing("\(field)") }
        guard let text = value.text, !text.isEmpty, text.utf8.count <= 40 else {
            throw unusable("\(field)", "no identifier")
        }
        return text
    }

    private func instant(_ field: StaticString) throws(Park) -> Instant {
        let text = try text(field, of: json)
        guard let instant = Instant(iso8601: text) else {
            throw unusable("\(field)", "\(text.prefix(40)), which is no time")
        }
        return instant
    }

    func missing(_ field: String, in place: String = "") -> Park {
        Park(
            .value, "Order \(id): \(place.isEmpty ? "" : place + ": ")the field `\(field)` is missing.",
            remedy: "Open the order in Kounta, complete and save it, then replay.")
    }

    func unusable(_ field: String, _ what: String, in place: String = "") -> Park {
        Park(
            .value, "Order \(id): \(place.isEmpty ? "" : place + ": ")the field `\(field)` is \(what).",
            remedy: "Correct the order in Kounta, then replay it.")
    }
}

extension JSON {
    /// An id given as text or number; nil where it is neither, empty or too long to be one.
    var identifierText: String? { text.flatMap { $0.isEmpty || $0.utf8.count > 40 ? nil : $0 } }

    /// A string's text or a number's digits: Kounta sends ids and amounts either way.
    package var text: String? { string ?? numberText }

    /// `id_str` first: numbers beyond 53 bits have been seen damaged on their way.
    package var orderID: String? { (self["id_str"]?.text != nil ? self["id_str"] : self["id"])?.orderIDText }

    /// An order's id goes into document numbers, paths and logs: letters, digits and dashes only.
    var orderIDText: String? {
        guard let text = identifierText,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D })
        else { return nil }
        return text
    }
}
