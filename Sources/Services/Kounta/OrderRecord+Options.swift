import Domain
import JSON
import Money

/// The order's own `options[]`: what was chosen for its lines, by `line_number`, each with a price, in sets that may
/// hold further options. No source says whether the lines' amounts hold these prices; a public client shows the shape.
extension OrderRecord {
    private struct Chosen {
        let line: Int
        let product: String?
        let name: String?
        /// GST-inclusive, of one unit.
        let price: ExactDecimal
        let rates: Set<ExactDecimal>
    }

    /// Priced options join their lines as modifiers do: whether they come on top is found out by what adds up to the
    /// order's total. One that is a line by itself (`part_of_option_set`) says nothing new. One that is taxed otherwise
    /// than its line cannot join it: where it comes on top the order does not add up, and is parked with the figures.
    func addOptions(to order: inout Order) throws(Park) {
        guard let options = json["options"], options.kind == .array, !options.elements.isEmpty else { return }
        var chosen: [Chosen] = []
        try collect(options.elements, line: nil, into: &chosen)
        let parts = Set(order.lines.filter(\.isPartOfOptionSet).compactMap(\.product))
        for option in chosen {
            guard let index = order.lines.firstIndex(where: { $0.number == option.line }) else { continue }
            let line = order.lines[index]
            if let product = option.product, product == line.product || parts.contains(product) { continue }
            guard option.rates == Set(line.taxRates) else { continue }
            guard let price = option.price * line.quantity else {
                throw unusable("options.unit_price", "out of bounds", in: "line \(option.line)")
            }
            order.lines[index].modifiers.append(Modifier(id: option.product, name: option.name, price: price))
        }
    }

    /// An option inside a set belongs to the line of the one that the set is of.
    private func collect(_ options: [JSON], line: Int?, into chosen: inout [Chosen]) throws(Park) {
        for option in options where option.kind == .object {
            let line = option["line_number"]?.text.flatMap { Int($0) } ?? line
            if let line {
                let place = "the option of line \(line)"
                let unit = try amount("unit_price", of: option, in: place) ?? .zero
                let price = unit + (try amount("unit_tax", of: option, in: place) ?? .zero)
                if !price.isZero {
                    var rates: Set<ExactDecimal> = []
                    for tax in option["taxes"]?.elements ?? [] {
                        if let rate = try amount("rate", of: tax, in: place), !rate.isZero { rates.insert(rate) }
                    }
                    chosen.append(
                        Chosen(
                            line: line, product: option["product_id"]?.identifierText,
                            name: option["name"]?.filledString, price: price, rates: rates))
                }
            }
            for set in option["option_sets"]?.elements ?? [] {
                try collect(set["options"]?.elements ?? [], line: line, into: &chosen)
            }
        }
    }
}
