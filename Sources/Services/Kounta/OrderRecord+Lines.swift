import Domain
import JSON
import Money

extension OrderRecord {
    func lines() throws(Park) -> [OrderLine] {
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
        let tax = try amount("line_total_tax", of: line, in: place)
        if let net {
            recorded = net + (tax ?? .zero)
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
        let product = line["product"]
        var result = OrderLine(
            number: number, name: product?["name"]?.string ?? "Sale", quantity: quantity, recorded: recorded,
            isFromUnitPrice: net == nil, taxRates: rates)
        result.id = (line["line_id"] ?? line["id"])?.identifierText
        result.recordedTax = net == nil ? nil : tax ?? .zero
        result.isPartOfOptionSet = line["part_of_option_set"]?.isTruthful ?? false
        result.notes = line["notes"]?.filledString
        if let product { read(product, into: &result) }
        if let modifiers = line["modifiers"]?.elements, !modifiers.isEmpty {
            result.modifiers = try self.modifiers(modifiers, quantity: quantity, in: place)
        }
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

    /// Most records give id and name only; where SKU, categories and tags come along, they are taken.
    private func read(_ product: JSON, into line: inout OrderLine) {
        line.product = product["id"]?.identifierText
        line.sku = (product["code"] ?? product["sku"])?.filledString
        line.tags = product["tags"]?.names ?? []
        line.categories = (product["categories"] ?? product["category"])?.names ?? []
    }

    /// A modifier is an id, a name or an object, with or without a price. A price is read like a unit's: without its
    /// tax where `unit_price` says so, with it where it is called `price`; it holds once a unit of the line.
    private func modifiers(
        _ elements: [JSON], quantity: ExactDecimal, in place: String
    ) throws(Park) -> [Modifier] {
        var modifiers: [Modifier] = []
        for element in elements {
            guard element.kind == .object else {
                modifiers.append(Modifier(id: element.identifierText, name: element.string))
                continue
            }
            var modifier = Modifier(id: element["id"]?.identifierText, name: element["name"]?.filledString)
            var unit = try amount("price", of: element, in: place)
            if let net = try amount("unit_price", of: element, in: place) {
                unit = net + (try amount("unit_tax", of: element, in: place) ?? .zero)
            }
            if let unit, !unit.isZero {
                guard let price = unit * quantity else {
                    throw unusable("modifiers.price", "out of bounds", in: place)
                }
                modifier.price = price
            }
            modifiers.append(modifier)
        }
        return modifiers
    }
}

extension JSON {
    /// A text that says something.
    var filledString: String? { string.flatMap { $0.isEmpty ? nil : $0 } }

    /// `true`, `1` and `"1"`: older records write booleans as numbers. An id (of the set) counts as true as well.
    var isTruthful: Bool { bool ?? text.map { !$0.isEmpty && $0 != "0" && $0 != "false" } ?? (kind == .object) }

    /// The names in a list of names or of objects with a `name`, or in one of either.
    var names: [String] {
        if kind == .array { return elements.compactMap { $0.filledString ?? $0["name"]?.filledString } }
        return (filledString ?? self["name"]?.filledString).map { [$0] } ?? []
    }
}
