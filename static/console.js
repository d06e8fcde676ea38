// Enhances the pages that hold a picture.
