import Domain
import Mapping
import Settings
import Store

/// What the rules in effect ask of a company's customers, read again when file or edits have changed: the poller needs
/// no restart, as the mapper needs none.
actor LiveCustomerQuestions {
    private let company: CompanyKey
    private let path: String?
    private let store: PostgresStore
    private var latest: (look: ContentHash, questions: [SiteID: CustomerQuestion])?

    init(company: CompanyKey, path: String?, store: PostgresStore) {
        self.company = company
        self.path = path
        self.store = store
    }

    /// A file that is not in order changes nothing, as for the mapper.
    ///
    /// - Throws: that the database is away; what is wrong with the file, where none was in order before.
    func load() async throws -> [SiteID: CustomerQuestion] {
        let look = try await LiveMapping.look(path: path, store)
        if let latest, look == nil || look == latest.look { return latest.questions }
        do {
            let effective = try await LiveMapping.effective(path: path, for: .poller, store)
            let questions = Self.questions(effective.settings.books, of: company)
            latest = (effective.look, questions)
            return questions
        } catch let error as StartError {
            guard let latest else { throw error }
            return latest.questions
        }
    }

    static func questions(
        _ books: [VenueKey: VenueBooks], of company: CompanyKey
    ) -> [SiteID: CustomerQuestion] {
        var questions: [SiteID: CustomerQuestion] = [:]
        for (venue, books) in books where venue.company == company {
            questions[venue.site] = books.rules.question(at: books.name, venue.site)
        }
        return questions
    }
}
