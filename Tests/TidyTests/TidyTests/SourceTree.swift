import Foundation

/// One Swift file of the project.
struct SwiftFile: Sendable {
    /// From the project's root: `Sources/Books/Money/Money.swift`.
    let path: String
    let lines: [String]
    /// The same lines without comments and without the insides of strings.
    let code: [String]
    let literals: [SwiftText.Literal]
    let commentLines: Set<Int>

    init(path: String, text: String) {
        self.path = path
        let source = SwiftText(text)
        lines = text.components(separatedBy: "\n")
        code = String(decoding: source.code, as: UTF8.self).components(separatedBy: "\n")
        literals = source.literals
        commentLines = source.commentLines
    }

    var isGenerated: Bool { lines.first?.contains("generated") == true }

    /// The folder right below `Sources`, and the one below that.
    var room: (group: String, target: String)? {
        let parts = path.split(separator: "/")
        guard parts.count >= 4, parts[0] == "Sources" else { return nil }
        return (String(parts[1]), String(parts[2]))
    }
}

/// The project's files, found from where this one lies, read once.
enum SourceTree {
    static let root: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder
    }()

    static let swiftFiles: [SwiftFile] = (paths(under: "Sources") + paths(under: "Tests"))
        .filter { $0.hasSuffix(".swift") }
        .compactMap { path in text(path).map { SwiftFile(path: path, text: $0) } }
        .filter { !$0.isGenerated }

    static var sources: [SwiftFile] { swiftFiles.filter { $0.path.hasPrefix("Sources/") } }

    /// Regular files in a folder and below it, or the file itself; empty where there is nothing.
    static func paths(under path: String) -> [String] {
        let place = root.appending(path: path).path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: place, isDirectory: &isFolder) else { return [] }
        guard isFolder.boolValue else { return [path] }
        let inside = (try? FileManager.default.subpathsOfDirectory(atPath: place)) ?? []
        return inside.sorted().map { "\(path)/\($0)" }.filter { text($0) != nil }
    }

    /// Nil for folders and for what is no text.
    static func text(_ path: String) -> String? {
        try? String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The names of the folders in a folder.
    static func folders(in path: String) -> [String] {
        let place = root.appending(path: path)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
        return names.sorted().filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: place.appending(path: name).path, isDirectory: &isFolder)
                && isFolder.boolValue
        }
    }
}
