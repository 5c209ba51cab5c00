import Domain
import Store

extension DeadLetter {
    /// What a person searches by is an entry of an index, which holds less than three thousand bytes.
    private static let textMax = 200

    /// The letter without anything that the database might not take: it is kept all the same. Message and headers stay
    /// as they came, and say the rest.
    ///
    /// - Parameter now: stands for when it was first seen.
    func bare(seen now: Instant) -> DeadLetter {
        var letter = self
        letter.number = nil
        letter.amount = nil
        letter.businessDate = nil
        letter.firstSeen = now
        letter.queue = Self.cut(queue)
        letter.origin = origin.map(Self.cut)
        letter.fingerprint = Self.cut(fingerprint)
        letter.organisation = organisation.map { OrganisationKey(Self.cut($0.text)) }
        letter.company = company.map { CompanyKey(Self.cut($0.text)) }
        letter.venue = venue.map(Self.cut)
        letter.sourceKind = sourceKind.map(Self.cut)
        letter.sourceID = sourceID.map(Self.cut)
        return letter
    }

    /// By bytes, at a scalar's border: a single character may be thousands of bytes.
    private static func cut(_ text: String) -> String {
        text.utf8.count <= textMax ? text : String(decoding: text.utf8.prefix(textMax), as: UTF8.self)
    }
}
