import ArgumentParser
import Bootstrap

@main struct Writer: WorkerCommand {
    static var worker: Worker { .writer }
    @OptionGroup var options: WorkerOptions
}
