import Glibc
package import Logging

/// One line a record on standard error: text for people, JSON with `LOG_FORMAT=json` for machines.
package struct LineLogHandler: LogHandler {
    package enum Format: String, Sendable { case text, json }

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let format: Format

    package init(label: String, format: Format, level: Logger.Level) {
        self.label = label
        self.format = format
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let line = line(event.level, "\(event.message)", event.metadata ?? [:], time: Self.now())
        // One write a line, so that lines of several threads do not mix.
        let bytes = Array((line + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// The record as one line, without its end.
    ///
    /// Messages and metadata hold what tills, people and servers sent. Nothing of it ends the line or begins another,
    /// and in JSON nothing of it ends its text.
    package func line(_ level: Logger.Level, _ message: String, _ more: Logger.Metadata, time: String) -> String {
        let values = metadata.merging(more) { $1 }.sorted { $0.key < $1.key }
        var line: String
        switch format {
        case .text:
            line = "\(time) \(level.padded) \(label): \(Self.oneLine(message))"
            for (key, value) in values { line += " \(Self.plain(key))=\(Self.plain("\(value)"))" }
        case .json:
            line = "{\"time\":\(Self.quoted(time)),\"level\":\"\(level)\",\"worker\":\(Self.quoted(label)),"
            line += "\"message\":\(Self.quoted(message))"
            for (key, value) in values { line += ",\(Self.quoted(key)):\(Self.quoted("\(value)"))" }
            line += "}"
        }
        return line
    }

    /// By scalars, not by characters: CR and LF together are one character, which is neither.
    private static func oneLine(_ text: String) -> String {
        guard !isPrintableASCII(text) else { return text }
        var result = ""
        var afterReturn = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where afterReturn: break
            case _ where endsLine(scalar): result += " ⏎ "
            case "\t": result.unicodeScalars.append(scalar)
            case _ where scalar.properties.generalCategory == .control: result += escaped(scalar)
            default: result.unicodeScalars.append(scalar)
            }
            afterReturn = scalar == "\r"
        }
        return result
    }

    /// As nearly every text is: then nobody needs to look each scalar up in the tables of Unicode.
    private static func isPrintableASCII(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    private static func plain(_ value: String) -> String {
        let isPlain = value.unicodeScalars.allSatisfy { scalar in
            scalar != "\"" && !scalar.properties.isWhitespace && scalar.properties.generalCategory != .control
        }
        return isPlain ? value : quoted(value)
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.properties.generalCategory == .control || endsLine(scalar): result += escaped(scalar)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// What a terminal, an editor or a collector of logs may take for the end of a line.
    private static func endsLine(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A...0x0D, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// As JSON has it. For scalars of four hexadecimal digits, as all controls and line ends are.
    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// UTC with milliseconds.
    private static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let (year, month) = (Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(Int(parts.tm_mday), 2))"
        let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(clock).\(padded(time.tv_nsec / 1_000_000, 3))Z"
    }
}

extension Logger.Level {
    fileprivate var padded: String { rawValue.uppercased() + String(repeating: " ", count: max(0, 8 - rawValue.count)) }
}
