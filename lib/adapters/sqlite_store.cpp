#include "adapters/sqlite_store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "adapters/state_lock.hpp"
#include "base/text.hpp"

namespace fota::adapters {

namespace {

constexpr int application_id = 0x666f7461;  // "fota", see SQLite's "Application ID" header field
constexpr int schema_version = 1;
constexpr auto file_name = "fotactl.db";
/// How long SQLite waits for another process that writes.
constexpr int busy_ms = 5000;

constexpr const char* schema = R"(
    CREATE TABLE facts (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        wall_ms  INTEGER NOT NULL,
        kind     TEXT NOT NULL,
        subject  TEXT NOT NULL,
        attempt  TEXT NOT NULL);
    CREATE INDEX facts_by_subject ON facts (subject, sequence);
    CREATE TABLE fields (
        sequence INTEGER NOT NULL REFERENCES facts ON DELETE CASCADE,
        name     TEXT NOT NULL,
        value    TEXT NOT NULL,
        PRIMARY KEY (sequence, name)) WITHOUT ROWID;
)";

std::int64_t wall_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

struct SqliteStore::Database {
    std::string path;
    SQLite::Database db;
    std::optional<ports::Durability> durability;
    SQLite::Statement newest;
    SQLite::Statement remove;
    SQLite::Statement insert;
    SQLite::Statement insert_field;
    SQLite::Statement select;

    explicit Database(const std::string& path_in, SQLite::Database&& open)
        : path(path_in),
          db(std::move(open)),
          newest(db, "SELECT max(sequence) FROM facts WHERE subject = ? AND kind = ? AND attempt = ?"),
          remove(db, "DELETE FROM facts WHERE sequence = ?"),
          insert(db, "INSERT INTO facts (wall_ms, kind, subject, attempt) VALUES (?, ?, ?, ?)"),
          insert_field(db, "INSERT INTO fields (sequence, name, value) VALUES (?, ?, ?)"),
          select(db,
                 "SELECT f.sequence, f.wall_ms, f.kind, f.attempt, d.name, d.value FROM facts f "
                 "LEFT JOIN fields d USING (sequence) WHERE f.subject = ? ORDER BY f.sequence, d.name") {}

    Error error(std::string_view what, const std::exception& exception) const {
        return Error(Errc::store_failed,
                     fmt::format("expected to {} {}, found: {}", what, printable(path), printable(exception.what())))
            .with("path", path);
    }

    void write(const ports::Fact& fact, ports::Durability wanted, bool replacing) {
        if (durability != wanted) {
            // In write-ahead mode FULL syncs the log at every commit, NORMAL only at checkpoints: a later full commit
            // makes the relaxed ones before it durable too.
            db.exec(wanted == ports::Durability::full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
            durability = wanted;
        }
        SQLite::Transaction transaction(db);
        if (replacing) {
            newest.reset();
            newest.bind(1, fact.subject);
            newest.bind(2, fact.kind);
            newest.bind(3, fact.attempt);
            if (newest.executeStep() && !newest.getColumn(0).isNull()) {
                remove.reset();
                remove.bind(1, newest.getColumn(0).getInt64());
                remove.exec();
            }
            newest.reset();
        }
        insert.reset();
        insert.bind(1, wall_ms());
        insert.bind(2, fact.kind);
        insert.bind(3, fact.subject);
        insert.bind(4, fact.attempt);
        insert.exec();
        const auto sequence = db.getLastInsertRowid();
        for (const auto& [name, value] : fact.fields) {
            insert_field.reset();
            insert_field.bind(1, static_cast<std::int64_t>(sequence));
            insert_field.bind(2, name);
            insert_field.bind(3, value);
            insert_field.exec();
        }
        transaction.commit();
    }
};

SqliteStore::SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}
SqliteStore::~SqliteStore() = default;

namespace {

Failure no_store(const std::string& path, std::string_view found) {
    return fail(Error(Errc::store_failed,
                      fmt::format("expected a fotactl state store in {}, found: {}", printable(path), printable(found)))
                    .with("path", path));
}

/// The schema's version, 0 in an empty database; a failure for what is none of ours, or newer than this program.
Result<int> schema_of(SQLite::Database& db, const std::string& path) {
    const int version = db.execAndGet("PRAGMA user_version").getInt();
    const int owner = db.execAndGet("PRAGMA application_id").getInt();
    const int tables = db.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
    if (owner != application_id && (owner != 0 || version != 0 || tables != 0))
        return no_store(path, "another program's database");
    if (version > schema_version)
        return no_store(path, fmt::format("schema {} of a newer fotactl (this one knows {})", version, schema_version));
    return version;
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::filesystem::path& directory) {
    TRY_VOID(create_state_directory(directory));
    const auto path = (directory / file_name).string();
    // SQLite would create it with the umask's mode; its log files take over the mode of the database.
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return no_store(path, std::strerror(errno));
    ::close(descriptor);
    try {
        SQLite::Database db(path, SQLite::OPEN_READWRITE, busy_ms);
        db.exec("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON");
        TRY(const auto version, schema_of(db, path));
        if (version == 0) {
            SQLite::Transaction transaction(db);
            db.exec(schema);
            db.exec(fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", application_id, schema_version));
            transaction.commit();
        }
        return std::unique_ptr<SqliteStore>(new SqliteStore(std::make_unique<Database>(path, std::move(db))));
    } catch (const std::exception& exception) {
        return no_store(path, exception.what());
    }
}

namespace {

/// Whether the file holds all there is: no process has the database open, and none left a log behind.
bool at_rest(const std::string& path) {
    return ::access((path + "-wal").c_str(), F_OK) != 0 && errno == ENOENT &&
           ::access((path + "-journal").c_str(), F_OK) != 0 && errno == ENOENT;
}

/// https://sqlite.org/uri.html: SQLite then makes no files for a log beside it, and takes no locks.
std::string immutable_uri(const std::string& path) {
    std::string out = "file://";  // with an empty authority: what follows begins with a slash
    for (const char c : std::filesystem::absolute(path).string()) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
                           c == '-' || c == '.' || c == '_' || c == '~';
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out + "?immutable=1";
}

SQLite::Database open_reading(const std::string& path) {
    if (at_rest(path)) {
        SQLite::Database db(immutable_uri(path), SQLite::OPEN_READONLY | SQLite::OPEN_URI, busy_ms);
        if (at_rest(path)) return db;  // else a writer came meanwhile, whose changes it would not see
    }
    return {path, SQLite::OPEN_READONLY, busy_ms};
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open_to_read(const std::filesystem::path& directory) {
    const auto path = (directory / file_name).string();
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return std::unique_ptr<SqliteStore>();
    try {
        auto db = open_reading(path);
        TRY(const auto version, schema_of(db, path));
        if (version == 0) return std::unique_ptr<SqliteStore>();
        return std::unique_ptr<SqliteStore>(new SqliteStore(std::make_unique<Database>(path, std::move(db))));
    } catch (const std::exception& exception) {
        return no_store(path, exception.what());
    }
}

Result<> SqliteStore::append(ports::Fact fact, ports::Durability durability) {
    try {
        database_->write(fact, durability, false);
        return {};
    } catch (const std::exception& exception) {
        return fail(database_->error("write to", exception));
    }
}

Result<> SqliteStore::replace(ports::Fact fact, ports::Durability durability) {
    try {
        database_->write(fact, durability, true);
        return {};
    } catch (const std::exception& exception) {
        return fail(database_->error("write to", exception));
    }
}

Result<std::vector<ports::Fact>> SqliteStore::facts(const std::string& subject) {
    try {
        std::vector<ports::Fact> found;
        auto& select = database_->select;
        select.reset();
        select.bind(1, subject);
        while (select.executeStep()) {
            const auto sequence = static_cast<std::uint64_t>(select.getColumn(0).getInt64());
            if (found.empty() || found.back().sequence != sequence)
                found.push_back({select.getColumn(2).getString(),
                                 subject,
                                 select.getColumn(3).getString(),
                                 {},
                                 sequence,
                                 select.getColumn(1).getInt64()});
            if (!select.getColumn(4).isNull())
                found.back().fields.insert_or_assign(select.getColumn(4).getString(), select.getColumn(5).getString());
        }
        select.reset();
        return found;
    } catch (const std::exception& exception) {
        return fail(database_->error("read", exception));
    }
}

Result<std::vector<std::string>> SqliteStore::subjects() {
    try {
        std::vector<std::string> found;
        SQLite::Statement select(database_->db, "SELECT DISTINCT subject FROM facts ORDER BY subject");
        while (select.executeStep()) found.push_back(select.getColumn(0).getString());
        return found;
    } catch (const std::exception& exception) {
        return fail(database_->error("read", exception));
    }
}

}  // namespace fota::adapters
