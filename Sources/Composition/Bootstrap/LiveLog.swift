import FoundationEssentials
import Logging
import Telemetry

enum LiveLog {
    /// `LOG_LEVEL` and `LOG_FORMAT` are read here, because they are wanted before any configuration is.
    static func logger(_ label: String) -> Logger {
        let environment = ProcessInfo.processInfo.environment
        let level = environment["LOG_LEVEL"].flatMap { Logger.Level(rawValue: $0.lowercased()) } ?? .info
        let format = environment["LOG_FORMAT"].flatMap { LineLogHandler.Format(rawValue: $0.lowercased()) } ?? .text
        return Logger(label: label) { LineLogHandler(label: $0, format: format, level: level) }
    }
}
