package import Domain
package import JSON
import Money

/// Reads Kounta's order records, old and new shapes, into ``Domain/Order``.
///
/// Lenient where the sources show two shapes (amounts as numbers or strings, `COMPLETED`, missing line totals), strict
/// where money is at stake: what is missing or no number is refused with the field's name.
package struct OrderRecord {
    private let json: JSON
    private let id: String

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
        var order = Order(
            id: OrderID(id), site: SiteID(try identifier("site_id")), status: try text("status", of: json),
            createdAt: try instant("created_at"), total: try total(),
            lines: try lines(), payments: try payments())
        order.saleNumber = json["sale_number"]?.text
        order.isDeleted = json["deleted"]?.bool ?? false
        order.isRefund = json["is_refund"]?.bool ?? false
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

    // MARK: lines

    private func lines() throws(Park) -> [OrderLine] {
        guard let elements = json["lines"] else { throw missing("lines") }
        var lines: [OrderLine] = []
        for (index, line) in elements.elements.enumerated() {
            lines.append(try self.line(line, number: Int(line["number"]?.integer ?? Int64(index + 1))))
        }
        return lines
    }

    private func line(_ line: JSON, number: Int) throws(Park) -> OrderLine {
        let place = "line \(number)"
        let quantity = try amount("quantity", of: line, in: place) ?? .one
        let recorded: ExactDecimal
        let net = try amount("line_total_ex_tax", of: line, in: place)
        if let net {
            recorded = net + (try amount("line_total_tax", of: line, in: place) ?? .zero)
        } else {
            guard let unit = try amount("unit_price", of: line, in: place) else {
                throw missing("unit_price", in: place)
            }
            let gross = unit + (try amount("unit_tax", of: line, in: place) ?? .zero)
            guard let product = gross * quantity else { throw unusable("unit_price", "out of bounds", in: place) }
            recorded = product
        }
        var rates: [ExactDecimal] = []
        for tax in line["taxes"]?.elements ?? [] {
            guard let rate = try amount("rate", of: tax, in: place) else { throw missing("taxes.rate", in: place) }
            if !rate.isZero { rates.append(rate) }
        }
        if line["taxes"] == nil { rates = try ratesFromAmounts(of: line, in: place) }
        var result = OrderLine(
            number: number, name: line["product"]?["name"]?.string ?? "Sale", quantity: quantity, recorded: recorded,
            isFromUnitPrice: net == nil, taxRates: rates)
        result.priceVariation = try amount("price_variation", of: line, in: place) ?? .one
        result.fixedVariation = try amount("price_fixed_variation", of: line, in: place) ?? .zero
        return result
    }

    /// Records older than the `taxes` list show only the unit's tax: the rate is what the two amounts give, to the
    /// whole per cent, since both are rounded.
    private func ratesFromAmounts(of line: JSON, in place: String) throws(Park) -> [ExactDecimal] {
        guard let unit = try amount("unit_price", of: line, in: place), !unit.isZero,
            let tax = try amount("unit_tax", of: line, in: place), !tax.isZero
        else { return [] }
        // The usual rates first: on a price of ten cents several whole per cents give the same cent of tax.
        for percent in [10, 15, 20, 5] + Array(1...30) {
            let rate = ExactDecimal(coefficient: Int128(percent), scale: 2)
            if let expected = unit * rate, (expected - tax).magnitude <= ExactDecimal(coefficient: 6, scale: 3) {
                return [rate.trimmed]
            }
        }
        throw unusable("unit_tax", "\(tax) on a price of \(unit), which is no rate in whole per cent", in: place)
    }

    // MARK: payments

    private func payments() throws(Park) -> [Tender] {
        var tenders: [Tender] = []
        for (index, payment) in (json["payments"]?.elements ?? []).enumerated() {
            let place = "payment \(index + 1)"
            guard let amount = try amount("amount", of: payment, in: place) else { throw missing("amount", in: place) }
            var tender = Tender(
                method: payment["method"]?["name"]?.string ?? payment["method"]?["id"]?.text ?? "unnamed",
                amount: amount, tip: try self.amount("tip", of: payment, in: place) ?? .zero)
            tender.paidAt = payment["created_at"]?.string.flatMap { Instant(iso8601: $0) }
            tender.reference = payment["ref"]?.string
            tenders.append(tender)
        }
        return tenders
    }

    // MARK: values

    /// Nil where the field is absent; kounta sends amounts as numbers, sometimes as strings.
    private func amount(_ field: StaticString, of json: JSON, in place: String = "") throws(Park) -> ExactDecimal? {
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

    private func missing(_ field: String, in place: String = "") -> Park {
        Park(
            .value, "Order \(id): \(place.isEmpty ? "" : place + ": ")the field `\(field)` is missing.",
            remedy: "Open the order in Kounta, complete and save it, then replay.")
    }

    private func unusable(_ field: String, _ what: String, in place: String = "") -> Park {
        Park(
            .value, "Order \(id): \(place.isEmpty ? "" : place + ": ")the field `\(field)` is \(what).",
            remedy: "Correct the order in Kounta, then replay it.")
    }
}

extension JSON {
    /// A string's text or a number's digits: Kounta sends ids and amounts either way.
    package var text: String? { string ?? numberText }

    /// `id_str` first: numbers beyond 53 bits have been seen damaged on their way.
    package var orderID: String? {
        guard let text = self["id_str"]?.text ?? self["id"]?.text, !text.isEmpty, text.utf8.count <= 40,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D })
        else { return nil }
        return text
    }
}
