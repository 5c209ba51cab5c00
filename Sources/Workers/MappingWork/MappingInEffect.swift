package import Domain
package import Mapping
package import Settings

/// The mapping that the next batch is made with. A batch takes it once and keeps it to its end, so that no batch is
/// made half with one mapping and half with another.
package actor MappingInEffect {
    struct Current: Sendable {
        let reader: RecordReader
        /// Its number in `mapping_version`.
        let version: Int64
    }

    private(set) var current: Current
    private let recordBytesMax: Int
    private let basis: MappingSettings.Basis

    package init(books: [VenueKey: VenueBooks], version: Int64, recordBytesMax: Int, basis: MappingSettings.Basis) {
        self.basis = basis
        self.recordBytesMax = recordBytesMax
        current = Current(
            reader: RecordReader(books: books, recordBytesMax: recordBytesMax, basis: basis), version: version)
    }

    /// Through which day a venue's trading days are written down.
    private var met: [VenueKey: CalendarDate] = [:]

    func daysMet(at venue: VenueKey) -> CalendarDate? { met[venue] }
    func noteDaysMet(through day: CalendarDate, at venue: VenueKey) { met[venue] = day }

    package var version: Int64 { current.version }
    package var venues: [VenueKey: VenueBooks] { current.reader.books }

    package func replace(books: [VenueKey: VenueBooks], version: Int64) {
        // Other days may be summaries from now on.
        met = [:]
        current = Current(
            reader: RecordReader(books: books, recordBytesMax: recordBytesMax, basis: basis), version: version)
    }
}

/// A mapping read from its file and found to be in order.
package struct LoadedMapping: Sendable {
    package let books: [VenueKey: VenueBooks]
    /// The file as it was read, and its SHA-256: they decide all that is in `books`.
    package let file: [UInt8]
    package let hash: ContentHash

    package init(books: [VenueKey: VenueBooks], file: [UInt8], hash: ContentHash) {
        self.books = books
        self.file = file
        self.hash = hash
    }
}
