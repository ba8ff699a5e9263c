// Store in one SQLite file, fotactl.db in the state directory (write-ahead log, mode 0600).
#pragma once

#include <filesystem>
#include <memory>

#include "ports/store.hpp"

namespace fota::adapters {

class SqliteStore final : public ports::Store {
  public:
    /// Creates the directory and the file where they are missing. store_failed when the file is no store of ours, was
    /// written by a newer schema, or cannot be opened. The caller holds the StateLock.
    static Result<std::unique_ptr<SqliteStore>> open(const std::filesystem::path& directory);
    /// For reading alone, beside a process that holds the lock; every write fails. Creates nothing where no process has
    /// the store open and none was killed with it, so that a copy in a directory that cannot be written is read, too;
    /// what is written after that is not seen, so it is for one look and not to be kept. Beside a log, SQLite may add
    /// its index of that log (-shm). Null where the directory holds no store yet; else fails as open() does.
    static Result<std::unique_ptr<SqliteStore>> open_to_read(const std::filesystem::path& directory);
    ~SqliteStore() override;

    Result<> append(ports::Fact fact, ports::Durability durability) override;
    Result<> replace(ports::Fact fact, ports::Durability durability) override;
    Result<std::vector<ports::Fact>> facts(const std::string& subject) override;
    Result<std::vector<std::string>> subjects() override;

  private:
    struct Database;
    explicit SqliteStore(std::unique_ptr<Database> database);
    std::unique_ptr<Database> database_;
};

}  // namespace fota::adapters
