package sluice.foreign;

import io.delta.storage.HDFSLogStore;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * A log store for Spark on local disks whose commits are put only where there is none: by a hard link, as this library
 * and delta-rs do. Delta's own looks first and renames then, which replaces a commit that came in between.
 */
public class LinkLogStore extends HDFSLogStore {
  public LinkLogStore(Configuration configuration) {
    super(configuration);
  }

  @Override
  public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration configuration)
      throws IOException {
    if (overwrite) {
      super.write(path, actions, overwrite, configuration);
      return;
    }
    java.nio.file.Path target = Paths.get(path.toUri().getPath());
    List<String> lines = new ArrayList<>();
    actions.forEachRemaining(lines::add);
    String text = String.join("\n", lines) + "\n";
    java.nio.file.Path temporary = target.resolveSibling("." + UUID.randomUUID() + ".tmp");
    Files.write(temporary, text.getBytes(StandardCharsets.UTF_8));
    try {
      Files.createLink(target, temporary);
    } finally {
      Files.delete(temporary);
    }
  }

  @Override
  public Boolean isPartialWriteVisible(Path path, Configuration configuration) {
    return false;
  }
}
