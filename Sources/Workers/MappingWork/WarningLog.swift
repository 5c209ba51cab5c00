import Domain
import Logging
import Telemetry
import Threads

/// What a person is told although the record is dealt with: something was booked where nothing says where it belongs.
struct RecordWarning: Sendable, Hashable {
    let organisation: OrganisationKey
    let venue: String
    /// The order it is about; nil where the sentence says it.
    var order: String?
    let sentence: String
}

/// Says each warning of a venue at once, and then at most once in ``pause``, with how often it was true meanwhile: a
/// payment method that nobody listed is in every second order, and thousands of lines that say the same hide the one
/// that says something else. Every warning is counted, and kept with its document (`document_line_basis`).
final class WarningLog: Sendable {
    private struct Subject: Hashable {
        let venue: String
        let sentence: String
    }

    private struct Told {
        var at: Instant
        /// Orders that were not told of since.
        var silent = 0
    }

    /// Seconds between two lines that say the same of one venue.
    static let pause: Int64 = 60
    /// Beyond so many different ones all are forgotten, and told again.
    static let subjectsMax = 1000

    private let told = Locked<[Subject: Told]>([:])
    private let metrics: Metrics
    private let logger: Logger

    init(metrics: Metrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func tell(_ warnings: [RecordWarning], now: Instant) {
        for warning in warnings {
            metrics.count("tillbridge_mapping_warnings_total", ["organisation": warning.organisation.text])
            guard let silent = silentBefore(warning, now: now) else { continue }
            let about = warning.order.map { "order \($0): " } ?? ""
            let more = silent == 0 ? "" : " (\(silent) more since it was last said)"
            logger.warning("\(about)\(warning.sentence)\(more)", metadata: ["venue": "\(warning.venue)"])
        }
    }

    /// Nil where it is too early to say it again.
    private func silentBefore(_ warning: RecordWarning, now: Instant) -> Int? {
        told.withLock { told in
            let subject = Subject(venue: warning.venue, sentence: warning.sentence)
            if let last = told[subject], now.secondsSince1970 - last.at.secondsSince1970 < Self.pause {
                told[subject]?.silent += 1
                return nil
            }
            let silent = told[subject]?.silent ?? 0
            if told.count >= Self.subjectsMax, told[subject] == nil { told = [:] }
            told[subject] = Told(at: now)
            return silent
        }
    }
}
