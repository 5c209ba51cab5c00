import Domain
import Mapping
import Messaging
import Settings

/// Says in the remedy for an archived account what the mapping books to it, and the command that maps that to another:
/// whoever does it must know what to look for. Pure.
struct ArchivedAccount: Sendable {
    /// One venue of each organisation: accounts and rules are the organisation's.
    private let books: [OrganisationKey: VenueBooks]

    init(books: [VenueKey: VenueBooks]) {
        self.books = books.values.sorted { $0.site.text > $1.site.text }.reduce(into: [:]) {
            $0[$1.organisation] = $1
        }
    }

    /// More names than a person reads in one sentence.
    private static let namesMax = 5

    /// - Returns: the remedy, word for word where the cause names no account or nothing is known to go there.
    func remedy(of failure: Envelope.Failure, organisation: OrganisationKey?) -> String {
        guard failure.deadLetterClass == .archived, let organisation, let books = books[organisation],
            let account = ArchivedAccountWords.account(in: failure.cause)
        else { return failure.remedy }
        let names = books.whatGoes(to: String(account))
        guard !names.isEmpty else { return failure.remedy }
        var listed = names.prefix(Self.namesMax).joined(separator: ", ")
        if names.count > Self.namesMax { listed += " and \(names.count - Self.namesMax) more" }
        let remedy = failure.remedy.replacing(
            ArchivedAccountWords.mapElsewhere(ArchivedAccountWords.anything),
            with: ArchivedAccountWords.mapElsewhere(listed))
        // An account is archived for all of the organisation's venues.
        return remedy
            + " By command: `tillbridge mapping set --organisation \(organisation) "
            + "\(ShellWord.bare("account.\(account)")) CODE --reason WHY`."
    }
}
