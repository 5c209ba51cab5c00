import Domain
import Money

/// Which tax type of Xero's a line's taxes belong to, and which rate a type has. A handful of entries, looked up for
/// every line: a walk through an array is faster than hashing a decimal.
struct TaxTable: Sendable {
    /// How one line is taxed.
    enum Finding {
        case single(type: String, rate: ExactDecimal)
        /// One tax Xero knows, and levies that go to liability accounts of their own.
        case split(type: String, rate: ExactDecimal, levies: [(account: String, rate: ExactDecimal)])
    }

    private let rates: [(rate: ExactDecimal, type: String)]
    private let combined: [(rates: [ExactDecimal], sum: ExactDecimal, type: String)]
    private let ofRules: [(type: String, rate: ExactDecimal)]
    private let levies: [(rate: ExactDecimal, account: String)]
    private let organisation: OrganisationKey

    init(books: VenueBooks) {
        rates = books.taxTypes.map { ($0.key.trimmed, $0.value) }.sorted { $0.rate < $1.rate }
        combined = books.sales.combinedTaxTypes.map { key, type in
            (key.sorted(), key.reduce(.zero, +), type)
        }
        ofRules = books.sales.ruleTaxRates.map { ($0.key, $0.value) }
        levies = books.sales.levyAccounts.map { ($0.key, $0.value) }
        organisation = books.organisation
    }

    func type(of rate: ExactDecimal) -> String? { rates.first { $0.rate == rate }?.type }

    /// 0 for a type that no rate is listed for: those are no supply, or free of tax. Of other types that a rule sets
    /// the rate is listed, or the configuration is refused.
    func rate(of type: String) -> ExactDecimal {
        rates.first { $0.type == type }?.rate ?? combined.first { $0.type == type }?.sum
            ?? ofRules.first { $0.type == type }?.rate ?? .zero
    }

    /// Xero has one tax type a line. Two taxes on a line are booked exactly in one of two ways: under a type that holds
    /// both as its components; or with the tax that Xero knows on the line and the other, a levy, as a line of its own
    /// to the account where it is owed, so that the tax Xero works out on the rest is the till's. What fits neither way
    /// is parked.
    func finding(for line: OrderLine, of order: Order) throws(Park) -> Finding {
        if line.taxRates.count <= 1 {
            let rate = line.taxRates.first ?? .zero
            if let type = type(of: rate) { return .single(type: type, rate: rate) }
            throw Park(
                .mapping,
                "Order \(order.id), line \(line.number) (\(line.name)): no tax type is set for a rate of \(rate).",
                remedy: "Add the rate under `taxes` of organisation \(organisation), then replay.")
        }
        let wanted = line.taxRates.sorted()
        if let found = combined.first(where: { $0.rates == wanted }) {
            return .single(type: found.type, rate: found.sum)
        }
        var known: (type: String, rate: ExactDecimal)?
        var owed: [(account: String, rate: ExactDecimal)] = []
        for rate in line.taxRates {
            if let levy = levies.first(where: { $0.rate == rate }) {
                owed.append((levy.account, rate))
            } else if known == nil, let type = type(of: rate) {
                known = (type, rate)
            } else {
                throw unknown(line, of: order)
            }
        }
        guard let known else { throw unknown(line, of: order) }
        return .split(type: known.type, rate: known.rate, levies: owed)
    }

    private func unknown(_ line: OrderLine, of order: Order) -> Park {
        let shown = line.taxRates.map(\.description).joined(separator: " and ")
        let tax = line.recordedTax.map { ", \($0) of tax in \(line.recorded)" } ?? " on \(line.recorded)"
        return Park(
            .mapping, "Order \(order.id), line \(line.number) (\(line.name)) carries \(line.taxRates.count) taxes "
                + "(\(shown)\(tax)), and Xero takes one tax type a line.",
            remedy: "List a tax type of Xero's that holds these rates together, or an account for the levy, under "
                + "organisation \(organisation); or give the product a single tax in Kounta; then replay.")
    }
}
