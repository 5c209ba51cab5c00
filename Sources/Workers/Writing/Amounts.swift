import Domain
import Money

enum Amounts {
    /// Whether two amounts as text are the same number: `12.5` and `12.50`.
    static func areEqual(_ a: String, _ b: String) -> Bool {
        guard let a = ExactDecimal(a), let b = ExactDecimal(b) else { return false }
        return a == b
    }
}

enum IdempotencyKey {
    /// New for every request that is not a repetition; names the organisation, because it is not known whether Xero
    /// keeps the keys of two organisations apart. At most 128 characters.
    static func make(_ organisation: OrganisationKey) -> String {
        var generator = SystemRandomNumberGenerator()
        return "tb-\(organisation)-" + String(generator.next() as UInt64, radix: 36)
            + String(generator.next() as UInt64, radix: 36)
    }
}
