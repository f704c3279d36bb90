"""What is said in videos: files of sentences, narrations made plain, words."""
