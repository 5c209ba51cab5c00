/// The house rules, each a function from a file to sentences about what breaks it: `path:line: what`.
enum Rules {
    static let linesMax = 400
    static let columnsMax = 120
    static let bodyLinesMax = 60

    static func lengths(_ file: SwiftFile) -> [String] {
        var found: [String] = []
        let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
        if count > linesMax { found.append("\(file.path): \(count) lines, more than \(linesMax)") }
        for (index, line) in file.lines.enumerated() where line.count > columnsMax {
            found.append("\(file.path):\(index + 1): \(line.count) columns, more than \(columnsMax)")
        }
        return found
    }

    /// Words that say nothing about what a type is.
    private static let bannedWords: Set<String> = [
        "Manager", "Managers", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Common", "Base", "Impl",
    ]

    static func names(_ file: SwiftFile) -> [String] {
        let declaration = #/\b(?:class|struct|enum|actor|protocol|typealias|associatedtype)\s+([A-Z][A-Za-z0-9_]*)/#
        return file.code.enumerated().flatMap { index, line in
            line.matches(of: declaration).compactMap { match -> String? in
                let name = String(match.output.1)
                guard let word = words(of: name).first(where: { bannedWords.contains($0) }) else { return nil }
                return "\(file.path):\(index + 1): the type \(name) is called a \(word)"
            }
        }
    }

    /// `HTTPServerBase` → HTTP, Server, Base.
    static func words(of name: String) -> [String] {
        let letters = Array(name)
        var words: [String] = []
        for (index, letter) in letters.enumerated() {
            let isStart = letter.isUppercase && (index == 0 || !letters[index - 1].isUppercase
                || (index + 1 < letters.count && letters[index + 1].isLowercase))
            if isStart || words.isEmpty { words.append("") }
            words[words.count - 1].append(letter)
        }
        return words
    }

    private static let dangers = ["@unchecked Sendable", "nonisolated(unsafe)", "try!", "fatalError("]

    /// What switches the compiler's care off has its reason within three lines.
    static func dangersWithoutReason(_ file: SwiftFile) -> [String] {
        file.code.enumerated().flatMap { index, line in
            dangers.filter { line.contains($0) }.compactMap { danger in
                let nearby = (index + 1 - 3)...(index + 1 + 3)
                if nearby.contains(where: { file.commentLines.contains($0) }) { return nil }
                return "\(file.path):\(index + 1): `\(danger)` without its reason beside it"
            }
        }
    }

    /// Binary fractions have no place where money is. Path → why it is allowed there.
    private static let floatingPointAllowed = [
        "Sources/Clients/Postgres/Backoff.swift": "pauses between attempts",
        "Sources/Simulators/XeroSimulator/Faults.swift": "the share of calls that a fault hits",
        "Sources/Simulators/FleetHarness/Figures.swift": "figures of benchmarks, to be printed",
        "Sources/Simulators/FleetHarness/BudgetScenario.swift": "calls and seconds of a benchmark",
        "Sources/Simulators/FleetHarness/DrainScenario.swift": "orders a second and megabytes of a benchmark",
        "Sources/Simulators/FleetHarness/Fleet+Watching.swift": "milliseconds of latency in a benchmark",
        "Sources/Simulators/FleetHarness/IsolationScenario.swift": "milliseconds of latency in a benchmark",
        "Sources/Simulators/FleetHarness/MappingScenario.swift": "records a second of a benchmark",
        "Sources/Simulators/FleetHarness/ReplayScenario.swift": "letters a second and megabytes of a benchmark",
    ]
    private static let exactGroups = [
        "Sources/Books/", "Sources/Services/", "Sources/Workers/", "Sources/Simulators/", "Sources/Clients/Postgres/",
    ]

    /// Those on the list that need not be there: what is allowed for nothing is a hole.
    static func needlessAllowances(_ files: [SwiftFile]) -> [String] {
        floatingPointAllowed.keys.sorted().filter { path in
            !files.contains { $0.path == path && $0.code.contains { $0.contains(floatingPointWord) } }
        }
    }

    private static var floatingPointWord: Regex<Substring> {
        // Simple: by Unicode's own rules `Double.random` is one word.
        #/\b(?:Double|Float|Float16|Float32|Float64|CGFloat)\b/#.wordBoundaryKind(.simple)
    }

    static func floatingPoint(_ file: SwiftFile) -> [String] {
        guard exactGroups.contains(where: { file.path.hasPrefix($0) }), floatingPointAllowed[file.path] == nil
        else { return [] }
        let word = floatingPointWord
        return file.code.enumerated().compactMap { index, line in
            line.contains(word) ? "\(file.path):\(index + 1): binary floating point" : nil
        }
    }
}

// MARK: rooms

extension Rules {
    /// No pointer leaves a client of a C library: nothing that others may call has one in its declaration.
    static func pointersThatLeave(_ file: SwiftFile) -> [String] {
        guard file.path.hasPrefix("Sources/Clients/") else { return [] }
        let declaration = #/\b(?:package|public|open)\b.*(?:Unsafe|OpaquePointer)/#
        return file.code.enumerated().compactMap { index, line in
            line.contains(declaration) ? "\(file.path):\(index + 1): a pointer leaves its client" : nil
        }
    }

    static let executableLinesMax = 40

    /// An executable parses, composes and runs: what it does lies below, where tests reach it.
    static func thickExecutables(_ file: SwiftFile) -> [String] {
        guard file.path.hasPrefix("Sources/Executables/") else { return [] }
        let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
        return count > executableLinesMax
            ? ["\(file.path): \(count) lines, more than the \(executableLinesMax) of an executable"] : []
    }
}

// MARK: functions

extension Rules {
    /// Functions and initializers whose body has too many lines between its braces. Nested ones count for themselves
    /// and for the one around them.
    static func longFunctions(_ file: SwiftFile) -> [String] {
        let code = Array(file.code.joined(separator: "\n").utf8)
        var found: [String] = []
        var line = 1
        for (index, byte) in code.enumerated() {
            if byte == UInt8(ascii: "\n") { line += 1 }
            guard isDeclaration(code, index), let count = bodyLines(code, from: index), count > bodyLinesMax
            else { continue }
            found.append("\(file.path):\(line): a function of \(count) lines, more than \(bodyLinesMax)")
        }
        return found
    }

    private static func isDeclaration(_ code: [UInt8], _ index: Int) -> Bool {
        func isWord(_ word: StaticString) -> Bool {
            let end = index + word.utf8CodeUnitCount
            guard end < code.count else { return false }
            let isSame = word.withUTF8Buffer { code[index..<end].elementsEqual($0) }
            return isSame && !isNamePart(code[end]) && (index == 0 || !isNamePart(code[index - 1]))
        }
        if code[index] == UInt8(ascii: "f") { return isWord("func") }
        guard code[index] == UInt8(ascii: "i"), isWord("init") else { return false }
        // `x.init(` is a call.
        return index == 0 || code[index - 1] != UInt8(ascii: ".")
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
    }

    /// The lines between the braces of the declaration at `start`; nil where it has no body.
    private static func bodyLines(_ code: [UInt8], from start: Int) -> Int? {
        guard let parameters = code[start...].firstIndex(of: UInt8(ascii: "(")),
            let afterParameters = closing(code, from: parameters, UInt8(ascii: "("), UInt8(ascii: ")")),
            let brace = code[afterParameters...].firstIndex(where: {
                $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}")
            }), code[brace] == UInt8(ascii: "{"),
            let end = closing(code, from: brace, UInt8(ascii: "{"), UInt8(ascii: "}"))
        else { return nil }
        return max(0, code[brace...end].count { $0 == UInt8(ascii: "\n") } - 1)
    }

    private static func closing(_ code: [UInt8], from start: Int, _ open: UInt8, _ close: UInt8) -> Int? {
        var depth = 0
        for index in start..<code.count {
            if code[index] == open { depth += 1 }
            if code[index] == close { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }
}
