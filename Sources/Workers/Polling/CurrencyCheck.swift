import Domain
package import Kounta
package import Logging
package import Messaging
import Setbacks
package import Settings

/// Holds the currency that Kounta's company keeps its money in against the one it is booked in, before anything of the
/// company is read, and once a day: else its amounts would be booked as they are, in another currency.
package actor CurrencyCheck {
    private let company: CompanySettings
    private let expected: String
    private let client: KountaClient
    private let clock: WorkClock
    private let logger: Logger
    private var agreedAt: Instant?
    private var failed: (at: Instant, error: any Error)?
    /// Many ask at once, when a poller begins: one call answers them all.
    private let turn = SoloTurn()

    private static let period = Duration.seconds(86_400)
    /// So long the answer of who asked before holds for those who waited behind them.
    private static let failurePeriod = Duration.seconds(1)

    /// - Parameter base: what the company's organisation keeps its books in.
    package init(company: CompanySettings, base: String, client: KountaClient, clock: WorkClock, logger: Logger) {
        self.company = company
        expected = company.currency ?? base
        self.client = client
        self.clock = clock
        self.logger = logger
    }

    /// A company that Kounta does not show, or that says nothing of its currency, is taken for what the configuration
    /// says: it is told, once a day.
    ///
    /// - Throws: ``ForeignCurrency``; and ``KountaError`` where Kounta could not be asked: it is asked again.
    package func check() async throws {
        if isAgreed { return }
        await turn.take()
        let result: Result<Void, any Error>
        do { result = .success(try await checkInTurn()) } catch { result = .failure(error) }
        await turn.giveBack()
        try result.get()
    }

    private var isAgreed: Bool { agreedAt.map { clock.now() < $0.adding(Self.period) } ?? false }

    private func checkInTurn() async throws {
        try Task.checkCancellation()
        if isAgreed { return }
        if let failed, clock.now() < failed.at.adding(Self.failurePeriod) { throw failed.error }
        do { try await ask() } catch {
            try Task.checkCancellation()
            failed = (clock.now(), error)
            throw error
        }
    }

    private func ask() async throws {
        var found: String?
        do { found = try await client.record().currency } catch KountaError.notFound {
        } catch KountaError.answered(let status, _) where (400..<500).contains(status) && status != 429 {
        }
        if let found, found.uppercased() != expected {
            throw ForeignCurrency(company: company.key, kounta: found, expected: expected)
        }
        if found == nil { logger.warning("Kounta does not say the company's currency: it is taken for \(expected)") }
        agreedAt = clock.now()
    }
}

/// Kounta's company keeps its money in another currency than it is booked in.
package struct ForeignCurrency: Error, CustomStringConvertible {
    let company: CompanyKey
    let kounta: String
    let expected: String

    package var description: String {
        "in Kounta the company keeps its money in \(kounta), but its sales would be booked in \(expected), and nothing "
            + "is converted: set `currency: \(kounta)` for company \(company), and where Xero's books are in another "
            + "one, switch \(kounta) on in Xero and list it under `other_currencies` of its organisation; then restart "
            + "poller and mapper"
    }
}
