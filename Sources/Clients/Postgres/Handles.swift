import CPostgreSQL
import CLinux
import Glibc

/// One `PGconn`; closed and freed with this value. Used by one thread at a time; non-blocking from the start.
struct ConnectionHandle: ~Copyable {
    private let pointer: OpaquePointer

    private init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { PQfinish(pointer) }

    /// Begins to connect with `options`; nil only when memory is short. The names are resolved here, blocking.
    static func start(options: [(keyword: String, value: String)]) -> ConnectionHandle? {
        // libpq copies both arrays before it returns.
        let keywords = options.map { strdup($0.keyword) }
        let values = options.map { strdup($0.value) }
        defer { for text in keywords + values { free(text) } }
        let keywordList = keywords.map { UnsafePointer($0) } + [nil]
        let valueList = values.map { UnsafePointer($0) } + [nil]
        guard let pointer = PQconnectStartParams(keywordList, valueList, 0) else { return nil }
        // Verbose, because only so does a refused login tell its SQLSTATE.
        PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
        // Notices would be printed to stderr.
        PQsetNoticeReceiver(pointer, { _, _ in }, nil)
        return ConnectionHandle(pointer)
    }

    /// Lends the pointer; it must not outlive `work`.
    borrowing func lend<Result: ~Copyable, Failure: Error>(
        _ work: (OpaquePointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try work(pointer)
    }

    var socket: Int32 { PQsocket(pointer) }
    var isBad: Bool { PQstatus(pointer) == CONNECTION_BAD }
    var message: String { String(cString: PQerrorMessage(pointer)) }
    var transactionStatus: PGTransactionStatusType { PQtransactionStatus(pointer) }

    /// Waits until the socket is ready for `events` or `deadline` has passed; false is the latter.
    func wait(for events: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            let milliseconds = left.components.seconds * 1_000 + left.components.attoseconds / 1_000_000_000_000_000
            let code = poll(&entry, 1, Int32(clamping: max(0, milliseconds + 1)))
            if code > 0 { return true }
            if code == 0 && left <= .zero { return false }
            // A negative code is EINTR or a closed socket; libpq reports the latter when it is read.
            if code < 0 && errno != EINTR { return true }
        }
    }
}

/// One `PGresult`; freed with this value.
struct ResultHandle: ~Copyable {
    private let pointer: OpaquePointer

    init?(_ pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        self.pointer = pointer
    }

    deinit { PQclear(pointer) }

    var status: ExecStatusType { PQresultStatus(pointer) }
    var rowCount: Int { Int(PQntuples(pointer)) }
    var columnCount: Int { Int(PQnfields(pointer)) }
    var affected: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }

    func columnName(_ column: Int) -> String { String(cString: PQfname(pointer, Int32(column))) }
    func columnType(_ column: Int) -> UInt32 { PQftype(pointer, Int32(column)) }

    /// The size of a value, nil for NULL.
    func size(row: Int, column: Int) -> Int? {
        if PQgetisnull(pointer, Int32(row), Int32(column)) != 0 { return nil }
        return Int(PQgetlength(pointer, Int32(row), Int32(column)))
    }

    func copy(row: Int, column: Int, size: Int, into bytes: inout [UInt8]) {
        let value = PQgetvalue(pointer, Int32(row), Int32(column))
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: value, count: size))
    }

    /// The server's error, without its DETAIL line, which quotes rows.
    func error(operation: String) -> PostgresError {
        func field(_ code: Character) -> String? {
            PQresultErrorField(pointer, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
        }
        let state = field("C")
        var detail = field("M") ?? String(cString: PQresultErrorMessage(pointer))
        if state?.hasPrefix("22") == true { detail = withoutQuotedValues(detail) }
        // libpq makes results of its own, without a code, when the connection breaks; its callers look at that.
        let stale = state == "26000" || (state == "0A000" && field("R") == "RevalidateCachedQuery")
        return PostgresError(
            state.map { PostgresError.Code(sqlState: $0) } ?? .connectionLost, operation: operation,
            detail: detail.trimmed, sqlState: state, constraint: field("n"), table: field("t"),
            outcomeUnknown: false, isStalePlan: stale)
    }
}

/// One `PGcancel`: the address and secret key with which a running statement is cancelled, from any thread.
///
/// Unchecked: `PGcancel` never changes after it is made, and `PQcancel` is documented as thread-safe.
final class CancelHandle: @unchecked Sendable {
    private let owned: Owned

    private struct Owned: ~Copyable {
        let pointer: OpaquePointer
        deinit { PQfreeCancel(pointer) }
    }

    init?(_ connection: borrowing ConnectionHandle) {
        guard let pointer = connection.lend({ PQgetCancel($0) }) else { return nil }
        owned = Owned(pointer: pointer)
    }

    /// Blocks while it connects to the server. A failure is not reported: the statement then simply goes on.
    func request() {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            _ = PQcancel(owned.pointer, buffer.baseAddress, Int32(buffer.count))
        }
    }
}

extension String {
    /// Without line breaks and blanks at its end.
    var trimmed: String {
        var text = Substring(self)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
