import CPostgreSQL

/// Where a PostgreSQL server is and who logs in, as parsed and checked by libpq.
///
/// Forms: `postgresql://user:password@host:port/database?sslmode=require`, and over a unix socket
/// `postgresql:///database?host=/run/postgresql&port=5432&user=…`. What the URL leaves out libpq fills from its own
/// defaults.
package struct PostgresAddress: Sendable, CustomStringConvertible {
    /// libpq's keywords, in its order. Holds the password: never printed.
    let options: [(keyword: String, value: String)]

    /// - Throws: `badURL`; the detail repeats nothing of the URL, which may hold a password.
    package init(url: String) throws(PostgresError) {
        guard url.hasPrefix("postgresql://") || url.hasPrefix("postgres://") else {
            throw PostgresError(.badURL, operation: "address", detail: "it must begin with postgresql://")
        }
        guard !url.containsNUL else {
            throw PostgresError(.badURL, operation: "address", detail: "it contains a NUL byte")
        }
        var problem: UnsafeMutablePointer<CChar>?
        guard let parsed = ParsedOptions(PQconninfoParse(url, &problem)) else {
            let detail = problem.map { withoutQuotedValues(String(cString: $0)) } ?? "out of memory"
            if let problem { PQfreemem(problem) }
            throw PostgresError(
                .badURL, operation: "address", detail: String(detail.split(separator: "\n").first ?? ""))
        }
        options = parsed.given()
    }

    /// The URL's facts with the password masked.
    package var description: String {
        let shown = options.map { option in
            let isSecret = option.keyword == "password" || option.keyword == "sslpassword"
            return "\(option.keyword)=\(isSecret ? "****" : option.value)"
        }
        return shown.joined(separator: " ")
    }

    func value(_ keyword: String) -> String? { options.first { $0.keyword == keyword }?.value }
}

/// libpq's array of options; freed with this value.
private struct ParsedOptions: ~Copyable {
    private let first: UnsafeMutablePointer<PQconninfoOption>

    init?(_ pointer: UnsafeMutablePointer<PQconninfoOption>?) {
        guard let pointer else { return nil }
        first = pointer
    }

    deinit { PQconninfoFree(first) }

    /// The options that have a value. The array ends with a NULL keyword.
    borrowing func given() -> [(keyword: String, value: String)] {
        var options: [(keyword: String, value: String)] = []
        var next = first
        while let keyword = next.pointee.keyword {
            if let value = next.pointee.val { options.append((String(cString: keyword), String(cString: value))) }
            next += 1
        }
        return options
    }
}
